// A checkpoint of Persimmon-8B's shape on the way of a user: `--help` says what is done.
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./bootstrap/paths.mjs";
import { measured } from "./full-shape/measured.mjs";
import { UNUSED } from "./full-shape/shape.mjs";
import { exitOnSignal } from "./run-notebooks/exit-on-signal.mjs";

const HELP = `usage: node scripts/check-full-shape.mjs [--scale 16] [--in FOLDER]

Writes a checkpoint of Persimmon-8B's shape in the hub's layout, converts it to int4, with and without the unused rows, loads
each and generates 32 tokens; prints times and peaks, and removes everything. Full size needs 30 GB of disk and takes a quarter
of an hour on two cores.

  --scale N    1/N of the size (1)
  --in FOLDER  where the files are written (the folder for temporary files)
`;
const MOST_BYTES = 3e9;
const TOKENS = 32;

const { values } = parseArgs({
  options: {
    scale: { type: "string", default: "1" },
    in: { type: "string", default: tmpdir() },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
exitOnSignal();
const folder = mkdtempSync(join(values.in, "persimmon-full-shape-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const main = join(root, "dist", "src", "cli", "main.js");
const source = join(folder, "hub");
/** @type {string[]} */
const wrong = [];

const gigabytes = (/** @type {number} */ bytes) => `${(bytes / 1e9).toFixed(2)} GB`;
const sizeOf = (/** @type {string} */ path) =>
  readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
const report = (
  /** @type {string} */ what,
  /** @type {{ seconds: number, peakBytes: number }} */ run,
  detail = "",
) =>
  process.stdout.write(
    `${what}: ${run.seconds.toFixed(1)} s, peak memory ${gigabytes(run.peakBytes)}${detail && `, ${detail}`}\n`,
  );

const written = await measured([
  join(root, "scripts", "full-shape-checkpoint.mjs"),
  source,
  "--scale",
  values.scale,
]);
report("write the hub's layout", written, gigabytes(sizeOf(source)));

for (const [name, options] of /** @type {[string, string[]][]} */ ([
  ["int4", []],
  ["int4 without unused rows", ["--drop-unused-rows"]],
])) {
  const target = join(folder, name.replaceAll(" ", "-"));
  const converted = await measured([main, "convert", source, target, "--to", "int4", ...options]);
  report(`convert to ${name}`, converted, gigabytes(sizeOf(target)));
  if (converted.peakBytes > MOST_BYTES)
    wrong.push(`${name}: converting took ${gigabytes(converted.peakBytes)}`);
  const run = await measured([join(root, "scripts", "full-shape", "generate.mjs"), target]);
  const { ids, loadSeconds, generateSeconds, promptTokens } = JSON.parse(run.out);
  const speed = `load ${loadSeconds.toFixed(1)} s, ${promptTokens} + ${ids.length} tokens ${generateSeconds.toFixed(1)} s`;
  report(`generate from ${name}`, run, speed);
  if (ids.length !== TOKENS) wrong.push(`${name}: expected ${TOKENS} tokens, got ${ids.length}`);
  const dropped = ids.filter((/** @type {number} */ id) => id >= UNUSED[0] && id < UNUSED[1]);
  if (options.length > 0 && dropped.length > 0)
    wrong.push(`${name}: generated ids of dropped rows: ${dropped}`);
  rmSync(target, { recursive: true });
}

for (const message of wrong) process.stderr.write(`FAIL: ${message}\n`);
process.stdout.write(`${6 - wrong.length} passed, ${wrong.length} failed\n`);
process.exit(wrong.length > 0 ? 1 : 0);
