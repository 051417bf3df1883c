#!/usr/bin/env node
// Runs the notebooks of notebooks/ through a real Jupyter server and fails on any error in a cell.
// `npm run notebooks -- --help` lists the options.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { privateJupyterPrefix, root } from "./bootstrap/paths.mjs";
import { seconds } from "./bootstrap/progress.mjs";
import { CellError, NotebookRunner } from "./run-notebooks/execute.mjs";
import { exitOnSignal } from "./run-notebooks/exit-on-signal.mjs";
import { serializeNotebook } from "./run-notebooks/format.mjs";
import { JupyterServer } from "./run-notebooks/server.mjs";

const HELP = `npm run notebooks -- [options] [name ...]

Runs every notebook of notebooks/, or those whose file name contains one of the names.

  --in-place         write the executed notebooks back, for committing (only those without an error)
  --out DIR          where else executed copies go (default build/notebooks)
  --timeout SECONDS  limit for each cell (default 300)
  --jupyter PATH     the jupyter program (the bootstrap names it)
  --prefix DIR       where our kernel is installed (the bootstrap names it)
`;

/** @typedef {{ notebook: string, passed: boolean, cell?: number, message?: string }} Result */

/**
 * @param {string} folder
 * @param {string[]} names
 * @returns {string[]} file names in order
 */
function selectNotebooks(folder, names) {
  const all = readdirSync(folder)
    .filter((name) => name.endsWith(".ipynb"))
    .sort();
  return names.length === 0 ? all : all.filter((name) => names.some((part) => name.includes(basename(part))));
}

/**
 * @param {NotebookRunner} runner
 * @param {string} name
 * @param {{ folder: string, out: string, inPlace: boolean, timeoutSeconds: number }} options
 * @returns {Promise<Result>}
 */
async function runOne(runner, name, { folder, out, inPlace, timeoutSeconds }) {
  const path = join(folder, name);
  const started = Date.now();
  /** @type {import("./run-notebooks/format.mjs").Notebook} */
  const notebook = JSON.parse(readFileSync(path, "utf8"));
  /** @type {Result} */
  let result = { notebook: name, passed: true };
  try {
    await runner.run(notebook, {
      path: relative(root, path),
      kernelName: notebook.metadata?.kernelspec?.name ?? "persimmon",
      timeoutSeconds,
      onCell: (number, total, milliseconds) =>
        process.stdout.write(`${name}  cell ${number} of ${total}  ${milliseconds} ms\n`),
    });
    process.stdout.write(`${name}  ok (${seconds(Date.now() - started)})\n`);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const cell = error instanceof CellError ? error.cell : undefined;
    process.stdout.write(`${name}  FAILED${cell === undefined ? "" : ` in cell ${cell}`}\n${message}\n`);
    result = { notebook: name, passed: false, cell, message };
  }
  writeFileSync(join(out, name), serializeNotebook(notebook));
  if (inPlace && result.passed) {
    writeFileSync(path, serializeNotebook(notebook));
  }
  return result;
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      "in-place": { type: "boolean", default: false },
      out: { type: "string", default: join(root, "build", "notebooks") },
      timeout: { type: "string", default: "300" },
      jupyter: { type: "string", default: "jupyter" },
      prefix: { type: "string", default: privateJupyterPrefix },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const timeoutSeconds = Number(values.timeout);
  if (!(timeoutSeconds > 0)) {
    throw new Error(`--timeout is a number of seconds above 0, not ${values.timeout}`);
  }
  const folder = join(root, "notebooks");
  const names = selectNotebooks(folder, positionals);
  if (names.length === 0) {
    throw new Error(`no notebook of ${folder} has one of these in its name: ${positionals.join(", ")}`);
  }
  mkdirSync(values.out, { recursive: true });
  const server = await JupyterServer.start({
    jupyter: values.jupyter,
    prefix: values.prefix,
    application: "server",
  });
  const runner = new NotebookRunner(server);
  /** @type {Result[]} */
  const results = [];
  try {
    for (const name of names) {
      const options = { folder, out: values.out, inPlace: values["in-place"], timeoutSeconds };
      results.push(await runOne(runner, name, options));
    }
  } finally {
    runner.dispose();
    await server.stop();
  }
  const reports = join(root, "build", "test-results");
  mkdirSync(reports, { recursive: true });
  writeFileSync(join(reports, "notebooks.json"), `${JSON.stringify(results, null, 2)}\n`);
  const failed = results.filter((result) => !result.passed).length;
  process.stdout.write(
    `\nnotebooks: ${results.length - failed} passed, ${failed} failed; copies in ${values.out}\n`,
  );
  return failed === 0 ? 0 : 1;
}

exitOnSignal();

// The client library reports every connection that it opens.
console.debug = () => {};

main().then(
  // The clients' polls would keep the process alive for a while.
  (code) => process.exit(code),
  (error) => {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exit(1);
  },
);
