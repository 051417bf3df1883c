/**
 * Scores HellaSwag with EleutherAI's lm-eval through `persimmon serve`, and with `persimmon eval --method likelihood`, and compares the
 * log-probability of every ending:
 *
 *     python3 -m venv VENV && VENV/bin/pip install lm-eval[api]==0.4.13 transformers==5.18.0
 *     node scripts/check-serve-lm-eval.mjs --python VENV/bin/python --data ../shared/eval-data/hellaswag/validation.jsonl
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./bootstrap/paths.mjs";
import { exitOnSignal } from "./run-notebooks/exit-on-signal.mjs";

const { values } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    data: {
      type: "string",
      default: join(root, "..", "shared", "eval-data", "hellaswag", "validation.jsonl"),
    },
    limit: { type: "string", default: "100" },
  },
});

exitOnSignal();
const folder = mkdtempSync(join(tmpdir(), "persimmon-serve-lm-eval-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const persimmon = join(root, "dist", "src", "cli", "main.js");
const model = join(root, "models", "demo");
const lines = (/** @type {string} */ path) => readFileSync(path, "utf8").trim().split("\n");

const items = join(folder, "validation.jsonl");
writeFileSync(items, `${lines(values.data).slice(0, Number(values.limit)).join("\n")}\n`);

const run = join(folder, "run");
const flags = ["--method", "likelihood", "--data", items, "--split", "validation", "--bos"];
execFileSync(process.execPath, [persimmon, "eval", "hellaswag", ...flags, "--folder", run], {
  stdio: "inherit",
});

const server = spawn(process.execPath, [persimmon, "serve", "--model", model, "--port", "0", "--json"], {
  stdio: ["ignore", "pipe", "inherit"],
});
process.on("exit", () => server.kill());
const { url, model: name } = await new Promise((resolve, reject) => {
  server.stdout.once("data", (/** @type {Buffer} */ line) => resolve(JSON.parse(line.toString())));
  server.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
});
const script = join(root, "scripts", "reference", "serve_lm_eval.py");
const output = await new Promise((resolve, reject) => {
  const child = spawn(values.python, [script, url, name, model, items], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (/** @type {Buffer} */ part) => {
    text += part;
  });
  child.once("error", reject);
  child.once("close", (code) =>
    code === 0 ? resolve(text) : reject(new Error(`lm-eval ended with ${code}`)),
  );
});
server.kill();

/** @type {{ id: string, logprobs: number[], acc: number, acc_norm: number }[]} */
const theirs = JSON.parse(output.trim().split("\n").at(-1));
/** @type {Map<string, { logprobs: number[], correct: boolean, correct_norm: boolean }>} */
const ours = new Map(
  lines(join(run, "samples.jsonl"))
    .map((line) => JSON.parse(line))
    .map((sample) => [sample.id ?? sample.item_id, sample]),
);
let largest = 0;
let differing = 0;
for (const { id, logprobs, acc, acc_norm } of theirs) {
  const sample = ours.get(id);
  if (sample === undefined) throw new Error(`persimmon eval has no item ${id}`);
  if (Boolean(acc) !== sample.correct || Boolean(acc_norm) !== sample.correct_norm) differing++;
  for (const [ending, logprob] of logprobs.entries()) {
    largest = Math.max(largest, Math.abs(logprob - sample.logprobs[ending]));
  }
}
const mean = (/** @type {(number | boolean)[]} */ all) =>
  all.reduce((/** @type {number} */ sum, one) => sum + Number(one), 0) / all.length;
const samples = [...ours.values()];
console.log(`
items                      ${theirs.length} by lm-eval, ${samples.length} by persimmon eval
acc                        ${mean(theirs.map(({ acc }) => acc))} and ${mean(samples.map(({ correct }) => correct))}
acc_norm                   ${mean(theirs.map(({ acc_norm }) => acc_norm))} and ${mean(samples.map(({ correct_norm }) => correct_norm))}
items scored differently   ${differing}
largest difference         ${largest} in the log-probability of an ending`);
const agree = theirs.length === samples.length && differing === 0 && largest < 1e-4;
console.log(agree ? "lm-eval and persimmon eval agree" : "they DIFFER");
process.exit(agree ? 0 : 1);
