import { describe, expect, it } from "vitest";
import { lineOf, textOf } from "../../../kernel/display/text.js";

const keyed = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]));

describe("textOf", () => {
  it("shows 200 keys of an object, and says how many there are, also of a class with getters", () => {
    expect(textOf(keyed(200))).toContain("k199: 199");
    expect(textOf(keyed(500))).toContain("300 more keys");
    class Wide {}
    const wide = Object.assign(new Wide(), keyed(500));
    Object.defineProperty(wide, "k0", {
      get() {
        throw new Error("a getter was run");
      },
      enumerable: true,
    });
    expect(textOf(wide)).toMatch(/^Wide \{\n {2}k0: \[Getter\],/);
    expect(textOf(wide)).toContain("300 more keys");
  });

  it("shows fewer levels of what has very many parts", () => {
    const cube = (size: number) =>
      Array.from({ length: size }, () => Array.from({ length: size }, () => new Array(size).fill(7)));
    expect(textOf(cube(20))).toContain("7, 7");
    const large = textOf(cube(100));
    expect(large).not.toContain("7, 7");
    expect(large.length).toBeLessThan(41_000);
    expect(textOf(Array.from({ length: 100 }, () => new Map(Object.entries(keyed(1000)))))).toContain(
      "'k0' => 0",
    );
  });

  it("cuts a text at 40,000 characters", () => {
    const text = textOf(Array.from({ length: 100 }, () => "x".repeat(1000)));
    expect(text).toMatch(/… \d+ more characters$/);
    expect(text.length).toBeLessThan(40_100);
  });

  it("survives circles, proxies and inspections that throw", () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(textOf(circle)).toBe("<ref *1> { self: [Circular *1] }");
    const no = () => {
      throw new Error("no");
    };
    expect(textOf(new Proxy({ a: 1 }, { get: no, ownKeys: no, getPrototypeOf: no }))).toBe("{ a: 1 }");
    expect(textOf({ [Symbol.for("nodejs.util.inspect.custom")]: no })).toBe(
      "[object that cannot be shown: no]",
    );
  });
});

describe("lineOf", () => {
  it("has one line", () => {
    expect(lineOf(keyed(60))).not.toContain("\n");
    expect(lineOf([{ a: { b: [1, 2] } }])).toBe("[ { a: { b: [ 1, 2 ] } } ]");
  });
});
