import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { moduleOfCell } from "../../../kernel/language/cell_source.js";
import { CellCompiler } from "../../../kernel/language/compiler.js";
import { isComplete } from "../../../kernel/language/completeness.js";
import { toModuleOffset, toSourceOffset } from "../../../kernel/language/insertions.js";
import { LibraryFiles } from "../../../kernel/language/library_files.js";
import { codePointOffset, utf16Offset } from "../../../kernel/language/positions.js";

const root = resolve(import.meta.dirname, "../../..");

describe("moduleOfCell", () => {
  const names = new Map([
    ["a", "__cell_1"],
    ["b", "__cell_2"],
  ]);

  it("keeps every line where it is", () => {
    const source = "// first\nlet x = a;\n/** doc */\nfunction f() {}\nimport { y } from 'y' // end";
    const { text } = moduleOfCell(source, names);
    expect(text.split("\n")).toEqual([
      'import { a } from "./__cell_1"; // first',
      "export let x = a;",
      "/** doc */",
      "export function f() {}",
      "import { y } from 'y' // end",
      "export { y };",
    ]);
  });

  it("imports nothing that the cell declares itself, and leaves `using` and existing exports alone", () => {
    const { text, declared } = moduleOfCell("export const a = 1; using b = a as any;", names);
    expect(text).toBe('import { b } from "./__cell_2"; export const a = 1; using b = a as any;');
    expect([...declared.keys()]).toEqual(["a"]);
  });

  it("declares all names of patterns, overloads, enums, types and namespaces", () => {
    const source =
      "const { p, q: [r, ...s] } = {} as any; function o(): void; function o() {} enum E {} type T = 1; namespace N { export let z = 1; }";
    expect([...moduleOfCell(source, names).declared.keys()]).toEqual(["p", "r", "s", "o", "E", "T", "N"]);
  });

  it("takes one object literal as an expression", () => {
    expect(moduleOfCell(" { x: 1 } ", names).text).toBe(" ({ x: 1 }) ");
    expect(moduleOfCell("{ const x = 1; }", names).text).toBe("{ const x = 1; }");
  });

  it("maps offsets there and back", () => {
    const cell = moduleOfCell("let x = a;\nlet z = b;", names);
    for (let offset = 1; offset < cell.source.length; offset++) {
      expect(toSourceOffset(toModuleOffset(offset, cell.insertions), cell.insertions)).toBe(offset);
    }
  });
});

describe("CellCompiler", () => {
  const compiler = new CellCompiler(resolve(root, "test"), root, new LibraryFiles());
  const compiled = (source: string) => {
    const result = compiler.compile(source, "Cell 1");
    if (!result.ok) throw new Error(result.error.traceback.join("\n"));
    return result.cell;
  };

  it("never marks or clears the object that all cells share", () => {
    const { code } = compiled("export let first: number; let second = 1; import { join } from 'node:path';");
    expect(code).not.toMatch(/void 0|__esModule|Object\.defineProperty/);
    expect(code).toContain("exports.second = 1");
    expect(code).toContain('__k.d("join"');
  });

  it("reports awaits, loops, functions and the last expression to the kernel", () => {
    const { code } = compiled("async function f() { for (const x of [await 1]) {} }\nawait f();\n'last'");
    expect(code).toContain("__k.r(await __k.a(1, 45))");
    expect(code.match(/if \(__k\.f\[1\]\)\s+__k\.stop\(\)/g)).toHaveLength(2);
    expect(code).toContain("__k.v('last')");
  });

  it("reports all errors of a cell, with code, place and line, and then declares nothing", () => {
    const result = compiler.compile("const broken: string = 1;\nlet other: number = 'x';", "Cell 9");
    expect(result.ok).toBe(false);
    if (result.ok) return;
    expect(result.error.ename).toBe("TypeScriptError");
    expect(result.error.evalue).toMatch(/^Cell 9:1:7 - error TS2322: .* \(and 1 more\)$/);
    expect(result.error.traceback).toContain("2 | let other: number = 'x';");
    expect(compiler.names.has("broken")).toBe(false);
  });

  it("carries types from cell to cell and forgets cells that nothing needs", () => {
    compiled("interface Point { x: number } const origin: Point = { x: 0 };");
    expect(compiler.compile("origin.x.toUpperCase()", "Cell 2").ok).toBe(false);
    for (let i = 0; i < 20; i++) compiled("const again = 1;");
    expect(compiler.names.get("again")).toBe([...compiler.names.values()].at(-1));
    expect(compiled("again + origin.x").code).toContain("__k.v(");
  });

  it("knows the kernel's globals and tslab's types", () => {
    expect(compiler.compile("display.html(1)", "Cell 3").ok).toBe(false);
    expect(compiler.compile("import { newDisplay } from 'tslab'; newDisplay().html(1)", "Cell 3").ok).toBe(
      false,
    );
    expect(compiler.compile("import { newDisplay } from 'tslab'; newDisplay().html('x')", "Cell 3").ok).toBe(
      true,
    );
  });
});

describe("isComplete", () => {
  it.each([
    ["1 + 1", "complete"],
    ["", "complete"],
    ["if (x) {", "incomplete"],
    ["call(1,", "incomplete"],
    ["`template", "incomplete"],
    ["/* comment", "incomplete"],
    ["let a =", "incomplete"],
    ["const = 3", "invalid"],
    ["}", "invalid"],
  ])("%j is %s", (code, status) => expect(isComplete(code).status).toBe(status));

  it("indents after an opening bracket", () => {
    expect(isComplete("  if (x) {")).toEqual({ status: "incomplete", indent: "    " });
  });
});

describe("positions", () => {
  it("count code points for Jupyter and UTF-16 units for TypeScript", () => {
    expect(utf16Offset("a🍣b", 2)).toBe(3);
    expect(codePointOffset("a🍣b", 3)).toBe(2);
    expect(utf16Offset("ab", 99)).toBe(2);
  });
});
