#!/usr/bin/env node
import { createProgram } from "./program.js";
import { reportError } from "./report_error.js";

// `persimmon info | head` closes our output early; that is not an error of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  await createProgram().parseAsync(process.argv);
} catch (error) {
  process.exitCode = reportError(error, { debug: process.argv.includes("--debug") });
}
