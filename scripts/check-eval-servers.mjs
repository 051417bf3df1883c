/**
 * Runs an evaluation here and on two Jupyter servers of its own, of which one is killed half-way, and compares the samples:
 *
 *     node scripts/check-eval-servers.mjs arc-easy --data demo
 *     node scripts/check-eval-servers.mjs arc-easy --data FOLDER --split validation
 *     node scripts/check-eval-servers.mjs arc-easy --data demo --gateway kernelgateway --jupyter VENV/bin/jupyter
 *
 * With `--gateway kernelgateway` or `enterprisegateway` the servers are such gateways, started by the `jupyter` that is named.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ensureJupyter, installKernel } from "./bootstrap/jupyter.mjs";
import { privateJupyterPrefix, root } from "./bootstrap/paths.mjs";
import { exitOnSignal } from "./run-notebooks/exit-on-signal.mjs";
import { JupyterServer } from "./run-notebooks/server.mjs";

const { loadModel, runEval, runEvalOnServers } = await import(join(root, "dist", "src", "index.js"));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: "string", default: "demo" },
    split: { type: "string" },
    limit: { type: "string" },
    gateway: { type: "string" },
    jupyter: { type: "string" },
  },
});
const [task = "arc-easy"] = positionals;
const common = {
  task,
  data: values.data,
  ...(values.split !== undefined && { split: values.split }),
  ...(values.limit !== undefined && { limit: Number(values.limit) }),
  execute: false,
};

exitOnSignal();
const folder = mkdtempSync(join(tmpdir(), "persimmon-eval-servers-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const samplesIn = (/** @type {string} */ run) =>
  readFileSync(join(folder, run, "samples.jsonl"), "utf8")
    .trim()
    .split("\n")
    .sort();

console.log(`${await runEval({ ...common, model: await loadModel(), folder: join(folder, "here") })}\n`);

const { jupyter, prefix } =
  values.jupyter === undefined
    ? await ensureJupyter()
    : { jupyter: values.jupyter, prefix: privateJupyterPrefix };
await installKernel(prefix);
const application = /** @type {string} */ (values.gateway ?? "server");
if (application !== "server" && application !== "kernelgateway" && application !== "enterprisegateway") {
  throw new Error(`--gateway must be kernelgateway or enterprisegateway, got ${application}`);
}
const options = /** @type {const} */ ({ jupyter, prefix, application });
const servers = await Promise.all([JupyterServer.start(options), JupyterServer.start(options)]);
let isKilled = false;
/** @type {{ url: string, samples: number, lost: number, ready: number, threads?: number }[]} */
let shares = [];
try {
  const result = await runEvalOnServers({
    ...common,
    servers: servers.map(({ baseUrl: url, token }) => ({ url, token })),
    folder: join(folder, "there"),
    onProgress: (/** @type {{ done: number, total: number, servers: typeof shares }} */ now) => {
      shares = now.servers;
      if (isKilled || 2 * now.done < now.total) return;
      isKilled = true;
      process.kill(Number(servers[1].pid), "SIGKILL");
      console.log(`${shares[1].url} is killed after ${now.done} of ${now.total}`);
    },
  });
  console.log(`${result}\n`);
  for (const { url, samples, ready, threads } of shares)
    console.log(`${url}: ${samples} samples, ${ready} ready at the end, threads of each kernel: ${threads}`);
  if (application === "server") {
    // Gateways do not list their kernels.
    const { baseUrl, token } = servers[0];
    const left = await fetch(`${baseUrl}api/kernels`, { headers: { Authorization: `token ${token}` } });
    console.log(`kernels left: ${await left.text()}`);
  }
} finally {
  await Promise.all(servers.map((server) => server.stop()));
}
const [here, there] = [samplesIn("here"), samplesIn("there")];
const isSame = here.length === there.length && here.every((line, index) => line === there[index]);
console.log(
  `${there.length} samples, ${isSame ? "identical to those of the run here, byte for byte" : "NOT those of the run here"}`,
);
process.exitCode = isSame && isKilled ? 0 : 1;
