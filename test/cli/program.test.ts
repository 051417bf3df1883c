import { InvalidArgumentError } from "commander";
import { describe, expect, it } from "vitest";
import { installerArguments } from "../../src/cli/kernel.js";
import { generateOptions, parseNumber } from "../../src/cli/options.js";
import { createProgram } from "../../src/cli/program.js";
import { reportError } from "../../src/cli/report_error.js";
import { PersimmonError } from "../../src/errors.js";

describe("persimmon --help", () => {
  it("lists every command, and says which are not there yet", () => {
    const program = createProgram();
    const help = program.helpInformation();
    for (const name of [
      "lab",
      "kernel",
      "generate",
      "chat",
      "eval",
      "bench",
      "pull",
      "convert",
      "info",
      "predict-zeros",
    ]) {
      expect(help).toMatch(new RegExp(`^  ${name}\\b`, "m"));
    }
    const absent = program.commands.filter((command) =>
      command.description().includes("not in this version"),
    );
    expect(absent.map((command) => command.name())).toEqual(["pull"]);
    const kernel = program.commands.find((command) => command.name() === "kernel");
    expect(kernel?.commands.map((command) => command.name())).toEqual(["install", "uninstall"]);
  });

  it.each(["pull"])("%s ends with NOT_AVAILABLE whatever it is given", async (name) => {
    const program = createProgram();
    const run = program.parseAsync(["node", "persimmon", name, "x", "--some-option", "3"]);
    await expect(run).rejects.toMatchObject({ code: "NOT_AVAILABLE" });
  });
});

describe("reportError", () => {
  const report = (error: unknown, debug = false) => {
    let text = "";
    const exitCode = reportError(error, {
      debug,
      write: (part) => {
        text += part;
      },
    });
    return { exitCode, text };
  };

  it("prints the code and the message", () => {
    const error = new PersimmonError("CONFIG_MISSING", "no config.json in /x");
    expect(report(error)).toEqual({ exitCode: 1, text: "error [CONFIG_MISSING] no config.json in /x\n" });
  });

  it("ends with 2 for what is not there yet", () => {
    expect(report(new PersimmonError("NOT_AVAILABLE", "later")).exitCode).toBe(2);
  });

  it("prints stack and causes with --debug", () => {
    const { text } = report(new PersimmonError("A", "outer", { cause: new TypeError("inner") }), true);
    expect(text).toMatch(/^error \[A\] PersimmonError: outer\n +at /);
    expect(text).toMatch(/^caused by TypeError: inner\n +at /m);
  });

  it("says how to see more of an error that is no one's code", () => {
    expect(report("text").text).toBe("error [UNEXPECTED] text\nRun it again with --debug to see where.\n");
  });
});

describe("options", () => {
  it.each([
    ["12", 12],
    ["0.5", 0.5],
    ["-1", -1],
    ["1e3", 1000],
    ["Infinity", Number.POSITIVE_INFINITY],
  ])("%s is a number", (text, value) => expect(parseNumber(text)).toBe(value));

  it.each(["", " ", "x", "12a", "NaN"])("%j is none", (text) => {
    expect(() => parseNumber(text)).toThrow(InvalidArgumentError);
  });

  it("only what was given goes to the library, so that its defaults hold", () => {
    expect(generateOptions({ temperature: 0, topK: undefined, stop: ["a"] })).toEqual({
      temperature: 0,
      stop: ["a"],
    });
  });

  it("the kernel's installer gets the options as they were given", () => {
    expect(installerArguments({ prefix: "/p", json: true })).toEqual(["--prefix", "/p", "--json"]);
    expect(installerArguments({ user: true })).toEqual(["--user"]);
    expect(installerArguments({})).toEqual([]);
  });
});
