import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { packageRoot } from "../package_root.js";
import { benchCommand } from "./bench.js";
import { chatCommand } from "./chat.js";
import { convertCommand } from "./convert.js";
import { evalCommand } from "./eval.js";
import { generateCommand } from "./generate.js";
import { infoCommand } from "./info.js";
import { kernelCommand } from "./kernel.js";
import { labCommand } from "./lab.js";
import { predictZerosCommand } from "./predict_zeros.js";
import { pullCommand } from "./pull.js";
import { serveCommand } from "./serve.js";
import { usageError } from "./usage.js";

/** The `persimmon` command with all that it can do. The library itself is loaded by the commands that need it. */
export function createProgram(): Command {
  const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
  const program = new Command("persimmon")
    .description("Persimmon-8B in TypeScript: a Jupyter kernel and a library")
    .version(version)
    .showHelpAfterError("(add --help for what there is)");
  program.addCommand(labCommand());
  program.addCommand(kernelCommand());
  program.addCommand(generateCommand());
  program.addCommand(chatCommand());
  program.addCommand(serveCommand());
  program.addCommand(evalCommand());
  program.addCommand(benchCommand());
  program.addCommand(pullCommand());
  program.addCommand(convertCommand());
  program.addCommand(predictZerosCommand());
  program.addCommand(infoCommand());
  for (const command of [program, ...program.commands, ...program.commands.flatMap((one) => one.commands)]) {
    command.option("--debug", "print the stack of an error");
    command.configureOutput({ outputError: (text, write) => write(usageError(text, command)) });
  }
  return program;
}
