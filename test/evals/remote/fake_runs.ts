import { join } from "node:path";
import { afterEach, beforeAll, expect } from "vitest";
import type { EvalResult, EvalServer, RunEvalOnServersOptions } from "../../../src/evals/index.js";
import { type PoolTuning, runTuned } from "../../../src/evals/remote/run_on_servers.js";
import { runEval } from "../../../src/evals/run/run_eval.js";
import { loadModel } from "../../../src/load_model.js";
import { temporaryDirectory } from "../../support/tiny_checkpoint.js";
import { linesOf } from "../run/support.js";
import { FakeJupyter, type Misbehaviour } from "./fake_jupyter.js";

export const items = 12;
export const common = {
  task: "arc-easy",
  data: "demo",
  limit: items,
  batchSize: 4,
  progress: false,
} as const;

export const sorted = (folder: string): string[] => linesOf(folder).sort();

const fakes: FakeJupyter[] = [];
afterEach(() => {
  for (const fake of fakes.splice(0)) fake.stop();
});

/** A fake server that ends with the test. */
export async function fake(misbehaviour: Misbehaviour = {}): Promise<FakeJupyter> {
  const server = await FakeJupyter.start(misbehaviour);
  fakes.push(server);
  return server;
}

export function serverOf({ url, token }: FakeJupyter, more: Partial<EvalServer> = {}): EvalServer {
  return { url, token, ...more };
}

/** Runs without the pauses that a real network needs. */
export function run(
  servers: (FakeJupyter | EvalServer)[],
  options: Partial<RunEvalOnServersOptions> = {},
  tuning: PoolTuning = {},
): Promise<EvalResult> {
  return runTuned(
    {
      ...common,
      servers: servers.map((server) => (server instanceof FakeJupyter ? serverOf(server) : server)),
      ...options,
    },
    { pauses: [1, 1], ...tuning },
  );
}

/** A folder for the tests of a file, and the samples of a run of `common` on this machine, sorted. */
export function localRun(): { directory: string; whole: string[] } {
  const made = { directory: temporaryDirectory(), whole: [] as string[] };
  beforeAll(async () => {
    const folder = join(made.directory, "whole");
    await runEval({ model: await loadModel(), ...common, folder });
    made.whole = sorted(folder);
    expect(made.whole).toHaveLength(items);
  });
  return made;
}
