import ts from "typescript";
import { moduleOfCell } from "./cell_source.js";
import type { CellCompiler } from "./compiler.js";
import type { Inspection } from "./engine.js";
import { toModuleOffset } from "./insertions.js";
import { utf16Offset } from "./positions.js";
import { ROOT_CELL } from "./workspace.js";

/** Type and documentation of the name at the cursor, or of the function whose parentheses enclose it. */
export function inspect(compiler: CellCompiler, code: string, position: number): Inspection {
  const cursor = utf16Offset(code, position);
  const cell = moduleOfCell(code, compiler.names, "all");
  const { workspace } = compiler;
  const path = workspace.pathOf(ROOT_CELL);
  workspace.setCell(ROOT_CELL, cell.text);
  for (const at of [cursor, cursor - 1]) {
    if (at < 0 || !/[\p{ID_Continue}$]/u.test(code[at] ?? "")) continue;
    const info = workspace.service.getQuickInfoAtPosition(path, toModuleOffset(at, cell.insertions));
    if (info) {
      return describe(ts.displayPartsToString(info.displayParts), info.documentation, info.tags);
    }
  }
  const help = workspace.service.getSignatureHelpItems(
    path,
    toModuleOffset(cursor, cell.insertions),
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

function describe(
  signature: string,
  documentation: readonly ts.SymbolDisplayPart[] | undefined,
  tags: readonly ts.JSDocTagInfo[] | undefined,
): Inspection {
  // Names of earlier cells are imports to the compiler; the reader need not know.
  const clean = signature.replace(/^\(alias\) /, "").replace(/\nimport \S+$/, "");
  const text = ts.displayPartsToString(documentation as ts.SymbolDisplayPart[]);
  const notes = (tags ?? []).map((tag) => `@${tag.name} ${ts.displayPartsToString(tag.text)}`.trim());
  const plain = [clean, text, notes.join("\n")].filter(Boolean).join("\n\n");
  const list = notes.map((note) => `- ${note}`).join("\n");
  const markdown = [`\`\`\`typescript\n${clean}\n\`\`\``, text, list].filter(Boolean).join("\n\n");
  return { found: true, data: { "text/plain": plain, "text/markdown": markdown } };
}
