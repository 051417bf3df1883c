import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { CellCompiler } from "../../../kernel/language/compiler.js";
import { complete } from "../../../kernel/language/completion.js";
import { LibraryFiles } from "../../../kernel/language/library_files.js";

const root = resolve(import.meta.dirname, "../../..");
const files = new LibraryFiles();
const fresh = () => new CellCompiler(resolve(root, "test"), root, files);
const texts = ["Math.fl", "const abc = 1; ab", "  process.st", "let text: Par", "a?.b; consol", "'x'.pad"];

describe("complete", () => {
  it.each(texts)("gives while %j is typed what it gives for each of its beginnings", (text) => {
    const typing = fresh();
    for (let end = 1; end <= text.length; end++) {
      const code = text.slice(0, end);
      expect(complete(typing, code, end), code).toEqual(complete(fresh(), code, end));
    }
  });

  it("knows a name that was declared since", () => {
    const compiler = fresh();
    expect(complete(compiler, "later", 5).matches).toEqual([]);
    compiler.compile("const laterOn = 1", "Cell 1");
    expect(complete(compiler, "later", 5).matches).toEqual(["laterOn"]);
  });
});

describe("compile", () => {
  it("gives the same code when a cell runs again, under another script's name", () => {
    const compiler = fresh();
    const [first, second] = [1, 2].map((n) => compiler.compile("1 + 1", `Cell ${n}`));
    if (!first?.ok || !second?.ok) throw new Error("does not compile");
    expect(second.cell.code).toBe(first.cell.code);
    expect(second.cell.file).not.toBe(first.cell.file);
    expect(second.cell.label).toBe("Cell 2");
  });

  it("compiles again when a name has changed its type", () => {
    const compiler = fresh();
    compiler.compile("const n = 1", "Cell 1");
    expect(compiler.compile("n.toFixed()", "Cell 2").ok).toBe(true);
    compiler.compile("const n = 'text'", "Cell 3");
    expect(compiler.compile("n.toFixed()", "Cell 4").ok).toBe(false);
  });
});
