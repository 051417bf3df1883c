import { availableParallelism } from "node:os";
import { expect, it } from "vitest";
import type { RemoteEvalProgress } from "../../../src/evals/remote/run_on_servers.js";
import { kernelsByHost, threadsBeside } from "../../../src/evals/remote/threads.js";
import { fake, run, serverOf } from "./fake_runs.js";

it.each([
  [1, 2, 2],
  [2, 2, 1],
  [3, 2, 1],
  [3, 16, 5],
  [64, 16, 1],
])("%i kernels on %i cores have %i threads each", (kernels, cores, threads) => {
  expect(threadsBeside(kernels, cores)).toBe(threads);
});

it("kernels of servers on one host are counted together", () => {
  const servers = [
    { url: "http://127.0.0.1:1/", kernels: 2 },
    { url: "http://localhost:2/", kernels: 1 },
    { url: "http://[::1]:3/", kernels: 1 },
    { url: "https://gpu:1/a/", kernels: 3 },
    { url: "http://gpu:2/", kernels: 1 },
    { url: "http://gpu2/", kernels: 1 },
  ];
  expect(servers.map(kernelsByHost(servers))).toEqual([4, 4, 4, 4, 4, 1]);
});

it("a run shares the cores among its kernels and says so; threads that are named count", async () => {
  const seen = async (more: object) => {
    const servers = [await fake(), await fake()];
    let last: RemoteEvalProgress | undefined;
    await run([serverOf(servers[0], { kernels: 3 }), servers[1]], {
      limit: 6,
      onProgress: (progress) => {
        last = progress;
      },
      ...more,
    });
    return last?.servers.flatMap(({ threads }) => threads ?? []);
  };
  const each = Math.max(1, Math.floor(availableParallelism() / 4));
  expect(new Set(await seen({}))).toEqual(new Set([each]));
  expect(new Set(await seen({ load: { threads: 3 } }))).toEqual(new Set([3]));
});
