import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dataOf, TestKernel, textOf } from "./support/kernel.js";

let kernel: TestKernel;
beforeAll(async () => {
  kernel = await TestKernel.start();
});
afterAll(() => kernel?.stop());

const write = (path: string, text: string) => {
  mkdirSync(join(kernel.folder, path, ".."), { recursive: true });
  writeFileSync(join(kernel.folder, path), text);
};

describe("declarations across cells", () => {
  it("shares variables, functions, classes, types, enums and imports", async () => {
    await kernel.execute(
      "let count = 1; const grow = () => ++count; class Box<T> { constructor(readonly value: T) {} }",
    );
    await kernel.execute(
      "type Pair = [number, string]; enum Colour { Red, Green } import { join } from 'node:path';",
    );
    expect(await kernel.evaluate("grow(); const pair: Pair = [count, join('a', 'b')]; pair")).toBe(
      "[ 2, 'a/b' ]",
    );
    expect(await kernel.evaluate("count = 10; grow()")).toBe("11");
    expect(await kernel.evaluate("[new Box(Colour.Green).value, Colour[0]]")).toBe("[ 1, 'Red' ]");
  });

  it("lets a name be declared anew, with another type, and functions see the new value", async () => {
    await kernel.execute("const subject = 1; function describeIt() { return String(subject); }");
    await kernel.execute("const subject = 'two';");
    expect(await kernel.evaluate("subject.toUpperCase() + describeIt()")).toBe("'TWOtwo'");
    await kernel.execute("import { EOL as subject } from 'node:os'");
    await kernel.execute("let subject = 4");
    expect(await kernel.evaluate("subject")).toBe("4");
  });

  it("keeps what was declared before an exception, and the old value when a re-run fails", async () => {
    await kernel.execute("const kept = 5; throw new Error('after')");
    expect(await kernel.evaluate("kept")).toBe("5");
    await kernel.execute("const value = 1");
    await kernel.execute("if (kept) throw new Error('early'); const value = 2");
    expect(await kernel.evaluate("value")).toBe("1");
  });

  it("refuses to assign to a constant of another cell", async () => {
    await kernel.execute("const fixed = 1");
    const { reply } = await kernel.execute("fixed = 2");
    expect(reply.evalue).toContain("an earlier cell declared it as a constant");
  });
});

describe("TypeScript as people write it", () => {
  it.each([
    ["await Promise.resolve('awaited')", "'awaited'"],
    ["let sum = 0; for await (const n of [1, 2, Promise.resolve(3)]) sum += n; sum", "6"],
    ["const { a, ...others } = { a: 1, b: 2n }; others", "{ b: 2n }"],
    ["'just a string'", "'just a string'"],
    ["{ x: 1, y: [2] }", "{ x: 1, y: [ 2 ] }"],
    ["[3, 1, 2].toSorted()", "[ 1, 2, 3 ]"],
    ["null", "null"],
    ["undefined", undefined],
    ["export const exported = 8; exported", "8"],
    [
      "interface Named { a: 1 } const local: Named = { a: 1 }; export { local }; export type { Named }; local",
      "{ a: 1 }",
    ],
    ["(await import('node:os')).EOL.length", "1"],
    [
      "const self = { name: 'loop' } as any; self.self = self; self",
      "<ref *1> { name: 'loop', self: [Circular *1] }",
    ],
  ])("%s", async (code, expected) => {
    expect(await kernel.evaluate(code)).toBe(expected);
  });

  it("disposes of `using` values at the end of the cell, and runs standard decorators", async () => {
    const { published } = await kernel.execute(
      "using lock = { [Symbol.dispose]() { console.log('released'); } }; console.log('held');",
    );
    expect(textOf(published)).toBe("held\nreleased\n");
    const decorated = `
      function loud(method: () => string, context: ClassMethodDecoratorContext) { return () => method().toUpperCase(); }
      class Speaker { @loud speak() { return "hi"; } }
      new Speaker().speak()`;
    expect(await kernel.evaluate(decorated)).toBe("'HI'");
  });

  it("imports ES modules, CommonJS, JSON and local TypeScript, and reads an edited file again", async () => {
    write(
      "node_modules/esm-only/package.json",
      '{"name":"esm-only","type":"module","exports":{"import":"./i.js"}}',
    );
    write(
      "node_modules/esm-only/i.js",
      "export const kind = await Promise.resolve('esm'); export default 1;",
    );
    write("node_modules/cjs-only/package.json", '{"name":"cjs-only","main":"m.js"}');
    write("node_modules/cjs-only/m.js", "module.exports = { kind: 'cjs' };");
    write("data.json", '{"n": 3}');
    write("deep.ts", "export const factor: number = 2;");
    write(
      "helper.ts",
      "import { factor } from './deep';\nexport function twice(x: number) { return factor * x; }",
    );
    await kernel.execute(
      "import one, { kind } from 'esm-only'; import cjs from 'cjs-only'; import data from './data.json';",
    );
    expect(await kernel.evaluate("[one, kind, cjs.kind, data.n]")).toBe("[ 1, 'esm', 'cjs', 3 ]");
    await kernel.execute("import { twice } from './helper.ts'");
    expect(await kernel.evaluate("twice(4)")).toBe("8");
    write("deep.ts", "export const factor: number = 300; // edited");
    await kernel.execute("import { twice } from './helper'");
    expect(await kernel.evaluate("twice(4)")).toBe("1200");
  });
});

describe("errors", () => {
  it("shows compile errors with the cell's own lines, and runs nothing", async () => {
    const { reply, published } = await kernel.execute("console.log('never');\nconst text: string = 5;");
    expect(reply).toMatchObject({ status: "error", ename: "TypeScriptError" });
    expect(reply.evalue).toMatch(/^Cell \d+:2:7 - error TS2322: /);
    expect(reply.traceback.join("\n")).toContain("2 | const text: string = 5;\n  |       ~~~~");
    expect(textOf(published)).toBe("");
  });

  it("maps stacks to the cell's own lines and columns, through functions of other cells, and shows the line", async () => {
    const declaring = await kernel.execute("function fail(): never {\n  throw new RangeError('far off');\n}");
    const n = declaring.reply.execution_count;
    const { reply } = await kernel.execute("const nothing = 1;\n\nfail();");
    expect(reply).toMatchObject({ ename: "RangeError", evalue: "far off" });
    const traceback = reply.traceback.join("\n");
    expect(traceback).toContain(`at fail (Cell ${n}:2:9)`);
    expect(traceback).toContain(`at Cell ${n + 1}:3:1`);
    expect(traceback).toContain("2 |   throw new RangeError('far off');");
    expect(traceback).not.toMatch(/dist\/kernel|node:internal/);
  });

  it("shows causes and values that are no errors", async () => {
    const { reply } = await kernel.execute("throw new Error('outer', { cause: new TypeError('inner') })");
    expect(reply.traceback.join("\n")).toMatch(/\[cause\]: TypeError: inner/);
    expect((await kernel.execute("throw { odd: 1 }")).reply.evalue).toBe("{ odd: 1 }");
  });

  it("survives process.exit, rejections that nobody handles and exceptions in timers", async () => {
    expect((await kernel.execute("process.exit(3)")).reply).toMatchObject({
      status: "error",
      ename: "SystemExit",
    });
    const { id } = await kernel.execute(
      "void Promise.reject(new Error('unhandled')); setTimeout(() => { throw new Error('timed') }, 10); 1",
    );
    const shown = (text: string) =>
      kernel.wait(
        (m) => m.channel === "iopub" && m.content.name === "stderr" && String(m.content.text).includes(text),
      );
    expect((await shown("unhandled")).parentHeader.msg_id).toBe(id);
    expect((await shown("timed")).parentHeader.msg_id).toBe(id);
    expect(await kernel.evaluate("1 + 1")).toBe("2");
  });
});

describe("rich results", () => {
  it("asks an object for its own bundle, also a promised one", async () => {
    const code = "({ async [Symbol.for('Jupyter.display')]() { return { 'text/html': '<i>own</i>' }; } })";
    const data = dataOf((await kernel.execute(code)).published, "execute_result")!;
    expect(data["text/html"]).toBe("<i>own</i>");
    expect(data["text/plain"]).toBeTypeOf("string");
  });

  it("shows figures and records", async () => {
    const figure =
      "({ data: [{ type: 'bar', y: new Float32Array([1, 2]) }], layout: { title: { text: 'T' } } })";
    const data = dataOf((await kernel.execute(figure)).published, "execute_result")!;
    expect(data["application/vnd.plotly.v1+json"]).toEqual({
      data: [{ type: "bar", y: [1, 2] }],
      layout: { title: { text: "T" } },
    });
    expect(data["text/html"]).toContain("plotly.min.js");
    const table = dataOf((await kernel.execute("[{ a: 1, b: '<x>' }]")).published, "execute_result")!;
    expect(table["text/html"]).toContain("&lt;x&gt;");
  });
});
