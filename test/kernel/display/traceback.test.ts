import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { coloured } from "../../../kernel/display/traceback.js";

describe("a coloured traceback", () => {
  const plain = [
    "Cell 4:1:7 - error TS2322: Type 'number' is not assignable to type 'string'.",
    "",
    "1 | const text: string = 5;",
    "  |       ~~~~",
    "",
    "Cell 4:2:1 - error TS2304: Cannot find name 'x'.",
    "    at Cell 4:2:1",
  ];

  it("is the same text without its escape sequences", () => {
    expect(coloured(plain).map((line) => stripVTControlCharacters(line))).toEqual(plain);
  });

  it("has red messages, grey frames and plain source", () => {
    const lines = coloured(plain);
    expect(lines[0]).toBe(`\u001b[1;31m${plain[0]}\u001b[0m`);
    expect(lines[5]).toBe(`\u001b[1;31m${plain[5]}\u001b[0m`);
    expect(lines[6]).toBe(`\u001b[90m${plain[6]}\u001b[0m`);
    expect(lines.slice(1, 5)).toEqual(plain.slice(1, 5));
  });
});
