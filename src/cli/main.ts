#!/usr/bin/env node
import type { Command } from "commander";
import { watchOutput } from "./output.js";
import { createProgram } from "./program.js";
import { reportError } from "./report_error.js";

const debug = process.argv.includes("--debug");
const output = watchOutput(debug);
let command: Command | undefined;
try {
  const program = createProgram().hook("preAction", (_, action) => {
    command = action;
  });
  await program.parseAsync(process.argv);
} catch (error) {
  process.exitCode = output.exitCode ?? reportError(error, { debug, command });
}
process.on("exit", () => {
  if (output.exitCode !== undefined) process.exitCode = output.exitCode;
});
