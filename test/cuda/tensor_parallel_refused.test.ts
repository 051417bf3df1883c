import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { type LoadOptions, loadModel } from "../../src/load_model.js";
import { failureOf } from "../support/codes.js";
import { fakeNccl } from "../support/fake_nccl.js";
import { isGpuReal, onGpu } from "../support/other_addon.js";
import { repositoryRoot } from "../support/shared.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

onGpu("a model that is to be split over GPUs", () => {
  if (!isGpuReal) fakeNccl(2);
  const refusal = async (options: LoadOptions) =>
    failureOf(loadModel(await tinyCheckpoint({ num_attention_heads: 4 }), { device: "cuda", ...options }));

  it("is refused over processes", async () => {
    expect(await refusal({ tensorParallel: "mpi" })).toBe(
      'OPTION_INVALID: tensorParallel: "mpi" splits a model over CPUs: with device: "cuda" give a number of GPUs of this machine',
    );
  });

  it("is refused where there are fewer GPUs", async () => {
    expect(await refusal({ tensorParallel: 64 })).toMatch(
      /^DEVICE_UNAVAILABLE: tensorParallel: 64 needs as many GPUs, and this machine has \d+$/,
    );
  });

  it.skipIf(isGpuReal)(
    "is refused with a limit that is no number, and where its heads do not fit",
    async () => {
      process.env.PERSIMMON_NCCL_TIMEOUT = "soon";
      expect(await refusal({ tensorParallel: 2 })).toBe(
        'OPTION_INVALID: PERSIMMON_NCCL_TIMEOUT must be a number of seconds above 0, got "soon"',
      );
      delete process.env.PERSIMMON_NCCL_TIMEOUT;
      const odd = await tinyCheckpoint({ num_attention_heads: 1 });
      expect(await failureOf(loadModel(odd, { device: "cuda", tensorParallel: 2 }))).toMatch(
        /^TENSOR_PARALLEL_INVALID: .* its 1 heads are not a multiple of 2/,
      );
    },
  );

  describe.skipIf(isGpuReal)("in a process of its own", () => {
    /** What a program says that asks the addon for communicators of two GPUs. */
    function connecting(env: Record<string, string>, gpus = "0, 1"): string {
      const code = `
        const { Stream, ncclCommunicators } = require(process.env.PERSIMMON_ADDON);
        try { console.log(ncclCommunicators([${gpus}].map((gpu) => new Stream(1, gpu)), 10).length); }
        catch (error) { console.log(error.code, error.message); }`;
      const all = { ...process.env, ...env };
      return spawnSync(process.execPath, ["-e", code], { env: all, encoding: "utf8", timeout: 20_000 })
        .stdout;
    }

    it("is told which library is missing, and how to get it", () => {
      expect(connecting({})).toBe("2\n");
      expect(connecting({ PERSIMMON_NCCL: "/nowhere/libnccl.so.2" })).toMatch(
        /^NCCL_UNAVAILABLE NCCL, .* cannot be loaded \(\/nowhere\/libnccl.so.2: .*\): install it \(.*libnccl2.*\), .* set PERSIMMON_NCCL to the path/,
      );
      expect(connecting({ PERSIMMON_NCCL: "", LD_LIBRARY_PATH: "" })).toMatch(
        /^(NCCL_UNAVAILABLE .*libnccl.so.2: |2)/,
      );
    });

    it("is told that a library is none, or too old", () => {
      const none =
        /^NCCL_UNAVAILABLE .* is no NCCL from 2.18.1 on: older ones may free what graphs still use$/m;
      expect(connecting({ PERSIMMON_NCCL: process.env.PERSIMMON_ADDON! })).toMatch(none);
      expect(connecting({ PERSIMMON_FAKE_NCCL_VERSION: "21701" })).toMatch(none);
    });

    it("is told what NCCL says when it cannot connect the GPUs", () => {
      expect(connecting({ PERSIMMON_FAKE_NCCL_REFUSE: "all" })).toBe(
        "NCCL_UNAVAILABLE NCCL could not connect the GPUs: unhandled cuda error; NCCL_DEBUG=WARN lets it say more\n",
      );
    });

    it("needs different GPUs, and no CPU among them", () => {
      const expected = "NATIVE_ARGUMENT expected an array of streams, each of another GPU\n";
      for (const gpus of ["0, 0", "0, null", ""]) expect(connecting({}, gpus)).toBe(expected);
    });

    it.each([
      ["by itself", "", 0],
      ["in the middle of a text", "if (++tokens === 3) process.exit(7);", 7],
    ])("does not keep a program that ends %s", (_, inLoop, status) => {
      const index = pathToFileURL(join(repositoryRoot, "dist", "src", "index.js"));
      const program = `
        import { loadModel } from ${JSON.stringify(index.href)};
        const model = await loadModel(process.argv[1], { device: "cuda", tensorParallel: 2 });
        let tokens = 0;
        for await (const _ of model.generate([1, 2, 3], { maxNewTokens: 6, stopAtEos: false })) { ${inLoop} }`;
      return tinyCheckpoint({ num_attention_heads: 4 }).then((directory) => {
        const run = spawnSync(process.execPath, ["--input-type=module", "-e", program, directory], {
          timeout: 20_000,
          encoding: "utf8",
        });
        expect({ status: run.status, signal: run.signal }).toEqual({ status, signal: null });
      });
    });
  });
});
