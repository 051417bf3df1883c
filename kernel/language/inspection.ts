import ts from "typescript";
import { moduleOfCell } from "./cell_source.js";
import type { CellCompiler } from "./compiler.js";
import { definitionAt } from "./definition.js";
import type { Inspection } from "./engine.js";
import { toModuleOffset } from "./insertions.js";
import { utf16Offset } from "./positions.js";
import { ROOT_CELL } from "./workspace.js";

const WORD = /[\p{ID_Continue}$]/u;
const TYPES = new Set(["interface", "type"]);
// What the compiler says of a name that it does not know.
const UNKNOWN = "any";

const MAX_REMEMBERED = 50;
const remembered = new WeakMap<CellCompiler, Map<string, Inspection>>();

/**
 * Type and documentation of the name at the cursor, or of the function whose parentheses enclose it. JupyterLab asks at
 * every move of the cursor; what was asked before is not worked out again.
 */
export function inspect(compiler: CellCompiler, code: string, position: number, detail = 0): Inspection {
  const key = JSON.stringify([compiler.state, code, position, detail]);
  const known = remembered.get(compiler) ?? new Map<string, Inspection>();
  remembered.set(compiler, known);
  let found = known.get(key);
  if (!found) {
    found = inspectAnew(compiler, code, position, detail);
    known.set(key, found);
    if (known.size > MAX_REMEMBERED) known.delete(known.keys().next().value!);
  }
  return found;
}

function inspectAnew(compiler: CellCompiler, code: string, position: number, detail: number): Inspection {
  const cursor = utf16Offset(code, position);
  const cell = moduleOfCell(code, compiler.names);
  const { workspace } = compiler;
  const path = workspace.pathOf(ROOT_CELL);
  workspace.setCell(ROOT_CELL, cell.text);
  for (const at of [cursor, cursor - 1]) {
    if (at < 0 || !WORD.test(code[at] ?? "")) continue;
    const offset = toModuleOffset(at, cell.insertions);
    const info = workspace.service.getQuickInfoAtPosition(path, offset);
    const signature = ts.displayPartsToString(info?.displayParts);
    if (info && signature !== UNKNOWN) {
      const source = detail > 0 ? definitionAt(compiler, offset) : undefined;
      return describe(signature, info.documentation, info.tags, source);
    }
    const name = wordAt(code, at);
    // A type alone on its line stands where only a value could.
    if (info && TYPES.has(compiler.declarations.get(name)?.kind ?? "") && code !== `let _: ${name}`)
      return inspect(compiler, `let _: ${name}`, 7, detail);
    return { found: false };
  }
  const inside = code[cursor - 1] === ")" ? cursor - 1 : cursor;
  const help = workspace.service.getSignatureHelpItems(
    path,
    toModuleOffset(inside, cell.insertions),
    undefined,
  );
  const item = help?.items[help.selectedItemIndex];
  if (!item) return { found: false };
  const parameters = item.parameters.map((parameter) => ts.displayPartsToString(parameter.displayParts));
  const signature =
    ts.displayPartsToString(item.prefixDisplayParts) +
    parameters.join(ts.displayPartsToString(item.separatorDisplayParts)) +
    ts.displayPartsToString(item.suffixDisplayParts);
  return describe(signature, item.documentation, item.tags);
}

function wordAt(code: string, at: number): string {
  let start = at;
  while (start > 0 && WORD.test(code[start - 1]!)) start--;
  let end = at;
  while (end < code.length && WORD.test(code[end]!)) end++;
  return code.slice(start, end);
}

function describe(
  signature: string,
  documentation: readonly ts.SymbolDisplayPart[] | undefined,
  tags: readonly ts.JSDocTagInfo[] | undefined,
  source?: string,
): Inspection {
  // Names of earlier cells are imports to the compiler; the reader need not know.
  const clean = signature.replace(/^\(alias\) /, "").replace(/\nimport \S+$/, "");
  const text = ts.displayPartsToString(documentation as ts.SymbolDisplayPart[]);
  const notes = (tags ?? []).map((tag) => `@${tag.name} ${ts.displayPartsToString(tag.text)}`.trim());
  const plain = [clean, text, notes.join("\n"), source].filter(Boolean).join("\n\n");
  const list = notes.map((note) => `- ${note}`).join("\n");
  const code = source && `\`\`\`typescript\n${source}\n\`\`\``;
  const markdown = [`\`\`\`typescript\n${clean}\n\`\`\``, text, list, code].filter(Boolean).join("\n\n");
  return { found: true, data: { "text/plain": plain, "text/markdown": markdown } };
}
