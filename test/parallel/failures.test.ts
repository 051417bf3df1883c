import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import { PersimmonError } from "../../src/errors.js";
import { type LoadOptions, loadModel } from "../../src/load_model.js";
import { HostModule } from "../../src/nn/index.js";
import { FollowerRuntime } from "../../src/parallel/parallel_runtime.js";
import { logitAttribution } from "../../src/research/logit_attribution.js";
import { logitLens } from "../../src/research/logit_lens.js";
import { predictZeros } from "../../src/research/predict_zeros.js";
import { Tensor } from "../../src/tensor/tensor.js";
import { failureOf } from "../support/codes.js";
import { repositoryRoot } from "../support/shared.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

afterEach(() => vi.restoreAllMocks());

const prompt = [1, 270, 300, 5, 9, 11, 280];
const load = async (options: LoadOptions, changes: Record<string, unknown> = { num_attention_heads: 4 }) =>
  loadModel(await tinyCheckpoint(changes), options);
const refusal = (options: object, changes?: Record<string, unknown>) =>
  failureOf(load(options as LoadOptions, changes));

describe("loading", () => {
  it("refuses splits that do not fit, with what would", async () => {
    expect(await refusal({ tensorParallel: 3 })).toMatch(
      /^TENSOR_PARALLEL_INVALID: .* its 4 heads are not a multiple of 3; what fits: 1, 2, 4$/,
    );
    const sizes = { num_attention_heads: 4, intermediate_size: 96, hidden_size: 128 };
    expect(await refusal({ tensorParallel: 2, dtype: "int4" }, sizes)).toMatch(
      /int4 needs groups of 32 inputs, and a rank would have 48 of the 96 neurons; what fits: 1$/,
    );
    await load({ tensorParallel: 2, dtype: "int8" }, sizes);
  });

  it.each([
    [
      { tensorParallel: 0 },
      "TENSOR_PARALLEL_INVALID: tensorParallel must be a whole number from 1 to 64, got 0",
    ],
    [
      { tensorParallel: 1.5 },
      "TENSOR_PARALLEL_INVALID: tensorParallel must be a whole number from 1 to 64, got 1.5",
    ],
    [
      { tensorParallel: "2" },
      'TENSOR_PARALLEL_INVALID: tensorParallel must be a number of ranks or "mpi", got "2"',
    ],
    [
      { tensorParallel: null },
      'TENSOR_PARALLEL_INVALID: tensorParallel must be a number of ranks or "mpi", got null',
    ],
    [
      { tensorParallel: 2, threads: 0 },
      "THREADS_INVALID: threads must be a whole number from 1 to 1024, got 0",
    ],
    [
      { tensorParallel: "mpi" },
      'MPI_NOT_STARTED: tensorParallel: "mpi" needs processes that Open MPI has started: `mpirun -np 2 node script.mjs`',
    ],
  ])("refuses %j", async (options, message) => expect(await refusal(options)).toBe(message));
});

describe("a model that is split", () => {
  it("refuses swapped modules and weights, and goes on when they are put back", async () => {
    class Nothing extends HostModule {
      protected override run(): void {}
    }
    const model = await load({ tensorParallel: 2 });
    const wanted = await model.logits(prompt);
    const { mlp } = model.layers[1];
    model.layers[1].mlp = new Nothing() as never;
    expect(await failureOf(model.logits(prompt))).toMatch(/^MODULE_SPLIT: .*cannot be swapped/);
    model.layers[1].mlp = mlp;
    const { weight } = mlp.denseHTo4h;
    mlp.denseHTo4h.weight = weight.copy().keep();
    expect(await failureOf(model.logits(prompt))).toMatch(/^MODULE_SPLIT: /);
    mlp.denseHTo4h.weight = weight;
    expect(await model.logits(prompt)).toEqual(wanted);
  });

  it("refuses to run one of its modules by itself, where the other ranks would not come", async () => {
    const model = await load({ tensorParallel: 2 });
    const x = Tensor.from(model.device, new Float32Array(64), [2, 32]);
    for (const module of [model.lmHead, model.layers[0].mlp]) {
      expect(await failureOf((async () => module.call(x))())).toMatch(
        /^OUTSIDE_OF_PASS: this module is split over ranks/,
      );
    }
    expect(await failureOf(logitLens(model, prompt))).toMatch(/^OUTSIDE_OF_PASS: /);
  });

  it("refuses what needs weights in one piece, before a pass", async () => {
    const model = await load({ tensorParallel: 2 });
    const forward = vi.spyOn(model.runtime, "forward");
    expect(await failureOf(logitAttribution(model, prompt, { answer: 5 }))).toBe(
      "ATTRIBUTION_UNSUPPORTED: logitAttribution needs the weights of the head and of attention in one piece, but this model is split over 2 ranks: load it with tensorParallel: 1",
    );
    const unsplit =
      "zeros can be predicted in models that are not split, and this one is split over 2 ranks: load it with tensorParallel: 1";
    expect(await failureOf(predictZeros(model, [prompt, prompt], { progress: false }))).toBe(
      `ZERO_PREDICTION_UNSUPPORTED: ${unsplit}`,
    );
    expect(forward).not.toHaveBeenCalled();
    const whole = await predictZeros(await load({}), [prompt, prompt], { progress: false });
    expect(() => whole.apply(model)).toThrow(unsplit);
  });

  it("does not keep a program that ends in the middle of a text", () => {
    const index = pathToFileURL(join(repositoryRoot, "dist", "src", "index.js"));
    const program = `
      import { loadModel } from ${JSON.stringify(index.href)};
      const model = await loadModel(undefined, { tensorParallel: 4 });
      let tokens = 0;
      for await (const _ of model.generate([1, 2, 3], { maxNewTokens: 500, stopAtEos: false })) {
        if (++tokens === 5) process.exit(7);
      }`;
    const options = { timeout: 30_000 };
    const { status } = spawnSync(process.execPath, ["--input-type=module", "-e", program], options);
    expect(status).toBe(7);
  });

  it("ends a prompt that is interrupted, and the next one is whole", async () => {
    const model = await load({ tensorParallel: 2, maxLength: 512 });
    const long = Array.from({ length: 500 }, (_, index) => 5 + (index % 290));
    const wanted = await model.logits(prompt);
    for (const delay of [0, 1, 2, 4, 8]) {
      const ending = new AbortController();
      const run = failureOf(
        model.prefill(long, { signal: ending.signal }).then(() => {
          throw new PersimmonError("DONE", "the prompt was done before");
        }),
      );
      setTimeout(() => ending.abort(), delay);
      expect(await run).toMatch(/^(INTERRUPTED|DONE)/);
      expect(await model.logits(prompt)).toEqual(wanted);
    }
    const ending = new AbortController();
    const stream = model.generate(prompt, { maxNewTokens: 400, stopAtEos: false, signal: ending.signal });
    for await (const _ of stream) ending.abort();
    expect((await stream.done).finish).toBe("interrupted");
    expect(await model.logits(prompt)).toEqual(wanted);
  });

  it("reports what fails on another rank, and waits for nobody", async () => {
    const model = await load({ tensorParallel: 4 });
    const wanted = await model.generate(prompt, { maxNewTokens: 4, stopAtEos: false }).done;
    // As when the system has no memory for a tensor of that rank: its pass ends after some ops.
    const call = vi.spyOn(FollowerRuntime.prototype as unknown as { observing(): unknown }, "observing");
    call.mockImplementationOnce(() => {
      throw new PersimmonError("OUT_OF_MEMORY", "on purpose");
    });
    expect(await failureOf(model.logits(prompt))).toBe("OUT_OF_MEMORY: on purpose");
    const again = await model.generate(prompt, { maxNewTokens: 4, stopAtEos: false }).done;
    expect(again.ids).toEqual(wanted.ids);
  });

  it("reports what another rank finds only when the pass is done", async () => {
    const model = await load({ tensorParallel: 2 });
    const runs = FollowerRuntime.prototype as unknown as { run(...all: unknown[]): Promise<Tensor> };
    const { run } = runs;
    vi.spyOn(runs, "run").mockImplementationOnce(async function (this: unknown, ...all) {
      (await run.apply(this, all)).release();
      throw new PersimmonError("OUT_OF_MEMORY", "at the end");
    });
    expect(await failureOf(model.logits(prompt))).toBe("OUT_OF_MEMORY: at the end");
    expect((await model.logits(prompt)).shape[0]).toBe(prompt.length);
  });

  it("reports an op that fails on another rank's stream", async () => {
    const model = await load({ tensorParallel: 2 });
    const follow = FollowerRuntime.prototype as unknown as {
      begin(key: { number: number; checksum: number }): void;
    };
    const { begin } = follow;
    // A rank that is in another pass than the others: every collective of it fails.
    vi.spyOn(follow, "begin").mockImplementationOnce(function (this: unknown, key) {
      begin.call(this, { ...key, checksum: key.checksum + 1 });
    });
    expect(await failureOf(model.logits(prompt))).toMatch(
      /^OP_FAILED: .*the ranks of a split model do different things: rank 0 is at all-reduce/,
    );
    expect((await model.logits(prompt)).shape[0]).toBe(prompt.length);
  });

  it("is refused together with predicted zeros", async () => {
    expect(await refusal({ tensorParallel: 2, predictZeros: "zeros.json" })).toBe(
      "OPTION_INVALID: predictZeros works on models that are not split: leave out predictZeros or tensorParallel",
    );
  });
});
