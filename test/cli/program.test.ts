import { Command, InvalidArgumentError } from "commander";
import { describe, expect, it } from "vitest";
import { installerArguments } from "../../src/cli/kernel.js";
import { addSamplingOptions, generateOptions, parseNumber } from "../../src/cli/options.js";
import { createProgram } from "../../src/cli/program.js";
import { reportError } from "../../src/cli/report_error.js";
import { PersimmonError } from "../../src/errors.js";

describe("persimmon --help", () => {
  it("lists every command", () => {
    const program = createProgram();
    const help = program.helpInformation();
    for (const name of [
      "lab",
      "kernel",
      "generate",
      "chat",
      "serve",
      "eval",
      "bench",
      "pull",
      "convert",
      "info",
      "predict-zeros",
    ]) {
      expect(help).toMatch(new RegExp(`^  ${name}\\b`, "m"));
    }
    const kernel = program.commands.find((command) => command.name() === "kernel");
    expect(kernel?.commands.map((command) => command.name())).toEqual(["install", "uninstall"]);
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

  it("prints stack and causes with --debug", () => {
    const { text } = report(new PersimmonError("A", "outer", { cause: new TypeError("inner") }), true);
    expect(text).toMatch(/^error \[A\] PersimmonError: outer\n +at /);
    expect(text).toMatch(/^caused by TypeError: inner\n +at /m);
  });

  it("names options by the flags of the command that ran", () => {
    const command = addSamplingOptions(new Command());
    const text = (message: string) => {
      let written = "";
      const write = (part: string) => {
        written += part;
      };
      reportError(new PersimmonError("SAMPLING_INVALID", message), { debug: false, command, write });
      return written;
    };
    expect(text("maxNewTokens must be a whole number from 0, got -5")).toBe(
      "error [SAMPLING_INVALID] --max-new-tokens must be a whole number from 0, got -5\n",
    );
    expect(text("topK has no effect without a temperature")).toBe(
      "error [SAMPLING_INVALID] --top-k has no effect without a temperature\n",
    );
    // Words that are no options of the library stay.
    expect(text("--seed must be x, and the seed of a run is kept")).toBe(
      "error [SAMPLING_INVALID] --seed must be x, and the seed of a run is kept\n",
    );
  });

  it.each(["INTERRUPTED", "HUB_ABORTED"])("%s ends with the exit code of Ctrl-C", (code) => {
    expect(report(new PersimmonError(code, "stopped")).exitCode).toBe(130);
  });

  it("says how to see more of an error that is no one's code", () => {
    expect(report("text").text).toBe("error [UNEXPECTED] text\nRun it again with --debug to see where.\n");
  });
});

describe("a command line that is wrong", () => {
  const usage = (...args: string[]) => {
    const program = createProgram();
    let text = "";
    for (const command of [program, ...program.commands]) {
      command.exitOverride().configureOutput({
        writeErr: (part) => {
          text += part;
        },
      });
    }
    expect(() => program.parse(args, { from: "user" })).toThrow();
    return text;
  };

  it("has a code, as other errors have", () => {
    expect(usage("generate", "-n", "x")).toBe(
      "error [USAGE_INVALID] option '-n, --max-new-tokens <n>' argument 'x' is invalid. It is not a number.\n",
    );
    expect(usage("serv")).toMatch(
      /^error \[USAGE_INVALID\] unknown command 'serv'\n\(Did you mean serve\?\)\n/,
    );
  });

  it("an option that was cut short is known, and one that was mistyped as before", () => {
    expect(usage("generate", "--temp", "1")).toBe(
      "error [USAGE_INVALID] unknown option '--temp'\n(Did you mean --temperature?)\n",
    );
    expect(usage("generate", "--top=5")).toBe(
      "error [USAGE_INVALID] unknown option '--top=5'\n(Did you mean --top-k or --top-p?)\n",
    );
    expect(usage("generate", "--sede", "1")).toBe(
      "error [USAGE_INVALID] unknown option '--sede'\n(Did you mean --seed?)\n",
    );
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
