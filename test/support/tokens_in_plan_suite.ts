import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import type { GenerateOptions } from "../../src/generation/options.js";
import type { Generation, Token } from "../../src/generation/token_stream.js";
import type { LanguageModel } from "../../src/language_model.js";
import { type LoadOptions, loadModel } from "../../src/load_model.js";
import type { MLP } from "../../src/model/mlp.js";
import { HostModule } from "../../src/nn/host.js";
import { edits } from "../../src/research/edits.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { tinyCheckpoint } from "./tiny_checkpoint.js";

/** With the tokens that are made it goes past the end of a page of 32 positions. */
const prompt = [1, 270, 300, 5, 9, 11, 280, ...Array.from({ length: 17 }, (_, i) => 265 + 2 * i)];
const long = { maxNewTokens: 16, stopAtEos: false };

/** What came of a generation: its tokens as they were handed out, the result or the code of the error, and `seen`. */
interface Outcome {
  tokens: Token[];
  generation: Generation | undefined;
  error: string | undefined;
  seen: unknown[];
}

/**
 * Tests that choosing tokens inside of the plan, with the next pass launched before they are read, changes nothing: each runs
 * a generation with and without (`runtime.tokensInPlan`), and compares all that can be seen.
 * @param own how the models are loaded
 */
export function testTokensInPlan(own: Pick<LoadOptions, "device" | "tensorParallel">): void {
  const isSplit = own.tensorParallel !== undefined;
  let model: LanguageModel;
  let directory: string;
  const load = (folder: string, options: LoadOptions = {}) => loadModel(folder, { ...own, ...options });
  beforeAll(async () => {
    directory = await tinyCheckpoint();
    model = await load(directory);
  });

  /** Runs a test both ways; the models that it uses are `of`. */
  async function bothWays<T>(run: () => Promise<T>, ...of: LanguageModel[]): Promise<T> {
    const results: T[] = [];
    for (const inPlan of [false, true]) {
      for (const each of [model, ...of]) each.runtime.tokensInPlan = inPlan;
      results.push(await run());
    }
    expect(results[1]).toEqual(results[0]);
    return results[1];
  }

  async function generated(
    options: GenerateOptions,
    onToken: (token: Token, count: number, see: (value: unknown) => void) => void = () => {},
    of = model,
    ids: readonly number[] = prompt,
  ): Promise<Outcome> {
    const outcome: Outcome = { tokens: [], generation: undefined, error: undefined, seen: [] };
    const stream = of.generate(ids, options);
    try {
      for await (const token of stream) {
        outcome.tokens.push(token);
        onToken(token, outcome.tokens.length, (value) => outcome.seen.push(value));
      }
      outcome.generation = await stream.done;
    } catch (error) {
      outcome.error = (error as { code: string }).code;
    }
    return outcome;
  }

  const pagesInUse = (of = model) => {
    const inspect = Symbol.for("nodejs.util.inspect.custom") as unknown as keyof typeof of.kv;
    return (of.kv[inspect] as unknown as () => string)().match(/(\d+) of/)?.[1];
  };

  it.each<[string, GenerateOptions]>([
    ["greedy", {}],
    ["greedy with log-probabilities", { logprobs: true }],
    ["a draw from all", { temperature: 1, seed: 3 }],
    [
      "a draw among the first, with log-probabilities",
      { temperature: 0.8, topK: 20, topP: 0.9, seed: 4, logprobs: true },
    ],
    ["a seed of 53 bits", { temperature: 2, seed: Number.MAX_SAFE_INTEGER }],
    ["one token", { maxNewTokens: 1 }],
    ["two tokens", { maxNewTokens: 2 }],
    ["three tokens", { maxNewTokens: 3, temperature: 1, seed: 1 }],
  ])("makes the same tokens: %s", async (_, options) => {
    const { generation } = await bothWays(() => generated({ ...long, ...options }));
    expect(generation?.finish).toBe("length");
    expect(pagesInUse()).toBe("0");
  });

  it("draws anew after a generation of the same settings, and of others", async () => {
    for (const seed of [1, 2, 1]) await bothWays(() => generated({ ...long, temperature: 1, seed }));
    const [first, second] = await bothWays(async () => [
      await generated({ ...long, temperature: 1, seed: 1 }),
      await generated({ ...long, temperature: 1.5, seed: 1 }),
    ]);
    expect(first.generation?.ids).not.toEqual(second.generation?.ids);
  });

  it("ends at stop texts, stop patterns and EOS with the same tokens", async () => {
    const { text, ids } = await model.generate(prompt, long).done;
    expect(text.length).toBeGreaterThan(10);
    for (const from of [3, 8]) {
      const stop = text.slice(from, from + 3);
      const { generation } = await bothWays(() => generated({ ...long, stop }));
      expect(generation?.finish).toBe("stop");
    }
    const pattern = /[a-z]{3,}/;
    await bothWays(() => generated({ ...long, stop: pattern }));
    for (const place of [0, 1, 2, 9]) {
      const eos = await load(await tinyCheckpoint({ eos_token_id: [ids[place]] }));
      const { generation } = await bothWays(() => generated({ maxNewTokens: 16 }, () => {}, eos), eos);
      expect(generation).toMatchObject({ finish: "eos", ids: ids.slice(0, ids.indexOf(ids[place]) + 1) });
    }
  });

  it("ends where the context is full", async () => {
    const short = await load(directory, { maxLength: 32 });
    const { generation } = await bothWays(
      () => generated({ ...long, maxNewTokens: 100 }, () => {}, short),
      short,
    );
    expect(generation).toMatchObject({ finish: "length" });
    expect(generation?.ids).toHaveLength(32 - prompt.length);
  });

  it("ends when it is aborted in the middle, or nobody reads any more", async () => {
    const { generation } = await bothWays(async () => {
      const controller = new AbortController();
      return generated({ ...long, signal: controller.signal }, (_, count) => {
        if (count === 5) controller.abort();
      });
    });
    expect(generation?.finish).toBe("interrupted");
    expect(generation?.ids.length).toBeLessThan(10);
    const left = await bothWays(async () => {
      const stream = model.generate(prompt, { ...long, temperature: 1, seed: 5 });
      for await (const _ of stream) break;
      return stream.done;
    });
    expect(left.finish).toBe("interrupted");
    expect(pagesInUse()).toBe("0");
  });

  it("goes on with a sequence that is looked at, forked and grown meanwhile", async () => {
    const { seen, generation } = await bothWays(async () => {
      using kv = await model.prefill(prompt);
      const forks: ReturnType<typeof kv.fork>[] = [];
      const outcome = await generated({ ...long, kv }, (_, count, see) => {
        see(kv.length);
        // Also at the borders of a page.
        if (count % 3 === 0) forks.push(kv.fork());
      });
      outcome.seen.push(kv.length);
      for (const fork of forks) {
        const more = await model.generate([9], { maxNewTokens: 6, kv: fork }).done;
        outcome.seen.push(fork.length, more.ids);
        fork.release();
      }
      outcome.seen.push((await model.generate([5], { maxNewTokens: 4, kv }).done).ids);
      return outcome;
    });
    // The last token is not seen by the model; `generated` begins with the prompt again.
    expect(seen[16]).toBe(2 * prompt.length + 15);
    expect(generation?.ids).toHaveLength(16);
    expect(pagesInUse()).toBe("0");
  });

  it("leaves no page in a sequence that ends with the last position of one", async () => {
    const drawn = { temperature: 2, seed: 3 };
    const { ids } = await model.generate(prompt, { ...long, ...drawn }).done;
    const place = 32 - prompt.length;
    expect(ids.indexOf(ids[place])).toBe(place);
    const eos = await load(await tinyCheckpoint({ eos_token_id: ids[place] }));
    const { seen } = await bothWays(async () => {
      using kv = eos.kv.createSequence();
      const outcome = await generated({ ...drawn, maxNewTokens: 16, kv }, () => {}, eos);
      outcome.seen.push(kv.length, kv.pages.length);
      return outcome;
    }, eos);
    expect(seen).toEqual([32, 1]);
  });

  it("fails as before when its sequence is released in the middle", async () => {
    const { error, tokens } = await bothWays(async () => {
      const kv = model.kv.createSequence();
      return generated({ ...long, kv }, (_, count) => {
        if (count === 4) kv.release();
      });
    });
    expect(error).toBe("SEQUENCE_RELEASED");
    expect(tokens.length).toBeGreaterThanOrEqual(4);
    expect(pagesInUse()).toBe("0");
  });

  it("fails as before when the cache is full", async () => {
    const { error, tokens } = await bothWays(async () => {
      using rest = model.kv.createSequence();
      // Leaves one page, of 32 positions.
      rest.extend((model.kv.pageCount - 1) * model.kv.pageTokens);
      return await generated(long);
    });
    expect(error).toBe("KV_CACHE_FULL");
    expect(tokens).toHaveLength(model.kv.pageTokens - prompt.length + 1);
    expect(pagesInUse()).toBe("0");
  });

  const prompts = [prompt, [1, 5], [1, 270, 300, 271, 280, 9, 9, 9, 30], [40]];

  it("makes a batch of texts of different lengths, which end each at its own time", async () => {
    const ends = new Set<number>();
    for (const row of await model.generateBatch(prompts, long)) ends.add(row.ids[3 + ends.size * 3]);
    const eos = await load(await tinyCheckpoint({ eos_token_id: [...ends] }));
    for (const options of [
      {},
      { temperature: 1.2, topP: 0.95, seed: 9, logprobs: true },
    ] as GenerateOptions[]) {
      const { generations } = await bothWays(async () => {
        const finished: number[] = [];
        const onFinished = (row: number) => finished.push(row);
        return {
          generations: await eos.generateBatch(prompts, { ...options, maxNewTokens: 16, onFinished }),
          finished,
        };
      }, eos);
      expect(new Set(generations.map(({ ids }) => ids.length)).size).toBeGreaterThan(1);
      for (const [row, { ids }] of generations.entries()) {
        const seed = options.seed === undefined ? undefined : options.seed + row;
        const alone = await eos.generate(prompts[row], { ...options, maxNewTokens: 16, seed }).done;
        expect(alone.ids).toEqual(ids);
      }
    }
    expect(pagesInUse(eos)).toBe("0");
  });

  it("obeys edits that change, end and begin while it runs", async () => {
    const direction = Float32Array.from({ length: model.config.hiddenSize }, (_, i) => Math.sin(i));
    const { tokens } = await bothWays(async () => {
      using steer = model.edit("layers.0.out", edits.add(direction, { scale: 0 }));
      const other = model.edit("layers.1.mlp.act", edits.scale(0.5));
      const outcome = await generated({ ...long, logprobs: true }, (_, count) => {
        if (count === 4) steer.scale = 5;
        if (count === 5) steer.scale = 0;
        if (count === 8) steer.scale = -4;
        if (count === 11) other.dispose();
        if (count === 14) steer.dispose();
      });
      outcome.seen.push(await generated(long));
      return outcome;
    });
    const plain = await generated(long);
    expect(tokens.map(({ id }) => id)).not.toEqual(plain.tokens.map(({ id }) => id));
  });

  it("sees a weight that is overwritten while it runs, and written back", async () => {
    const { tokens } = await bothWays(async () => {
      const weight = ((model.layers[1].mlp as MLP).dense4hToH as unknown as { weight: Tensor }).weight;
      const own = await weight.data();
      const other = own.map((value, at) => value + 0.3 * Math.sin(at));
      const outcome = await generated({ ...long, logprobs: true }, (_, count) => {
        if (count === 5) weight.write(other);
        if (count === 10) weight.write(own);
      });
      weight.write(own);
      return outcome;
    });
    const plain = await generated({ ...long, logprobs: true });
    expect(tokens.map(({ logprob }) => logprob)).not.toEqual(plain.tokens.map(({ logprob }) => logprob));
  });

  // A split model takes no other modules.
  it.skipIf(isSplit)("sees a module that is swapped while it runs, and swapped back", async () => {
    const { tokens } = await bothWays(async () => {
      const [own, other] = [model.layers[0].mlp, model.layers[1].mlp];
      const outcome = await generated(long, (_, count) => {
        if (count === 4) model.layers[0].mlp = other;
        if (count === 8) model.layers[0].mlp = own;
        if (count === 13) model.layers[0].mlp = other;
      });
      model.layers[0].mlp = own;
      return outcome;
    });
    const plain = await generated(long);
    expect(tokens.map(({ id }) => id)).not.toEqual(plain.tokens.map(({ id }) => id));
  });

  it("lets other passes run in between", async () => {
    await bothWays(async () => {
      const others: Promise<unknown>[] = [];
      const outcome = await generated(long, (_, count) => {
        if (count % 5 === 0) others.push(model.logits([...prompt, count]).then(({ data }) => data[3]));
      });
      outcome.seen.push(...(await Promise.all(others)));
      return outcome;
    });
  });

  it("shows each pass once to hooks, watches and counters", async () => {
    const { seen } = await bothWays(async () => {
      const all: unknown[] = [];
      using _hook = model.hook("layers.1.mlp.act", (x, at) => {
        all.push(["hook", at.step, at.positions, x.data[0]]);
        x.data[0] = 0;
      });
      using _watch = model.watch("finalNorm.out", (x, at) => all.push(["watch", at.step, x.data[0]]));
      using counter = model.countFiring("layers.*.mlp.act");
      const outcome = await generated({ ...long, maxNewTokens: 8 });
      outcome.seen.push(all, await counter.read());
      return outcome;
    });
    const [all] = seen as [unknown[][]];
    expect(all.filter(([kind]) => kind === "watch").map(([, step]) => step)).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7,
    ]);
  });

  it("counts each pass once", async () => {
    await bothWays(async () => {
      using counter = model.countFiring("layers.*.mlp.act");
      const outcome = await generated({ ...long, maxNewTokens: 5 });
      outcome.seen.push(await counter.read());
      return outcome;
    });
  });

  it("goes on in the plan when a watch ends while it runs", async () => {
    const { seen } = await bothWays(async () => {
      const steps: number[] = [];
      const watch = model.watch("layers.0.out", (_, at) => steps.push(at.step));
      const outcome = await generated(long, (_, count) => {
        if (count === 5) watch.dispose();
      });
      outcome.seen.push(steps);
      return outcome;
    });
    expect((seen[0] as number[]).length).toBeLessThan(9);
  });

  it("finds what is not finite in the pass where it comes up", async () => {
    // Infinity itself is refused.
    const beyondFloat32 = Number.MAX_VALUE;
    const { error } = await bothWays(async () => {
      model.checkFinite = true;
      using steer = model.edit("layers.0.out", edits.scale(1));
      const outcome = await generated(long, (_, count) => {
        if (count === 5) steer.scale = beyondFloat32;
      });
      model.checkFinite = false;
      return outcome;
    });
    expect(error).toBe("ACTIVATION_NOT_FINITE");
    // Without a change of strength: the pass of the eighth token is the first that the edit is about.
    const later = await bothWays(async () => {
      model.checkFinite = true;
      using infinite = model.edit("layers.0.out", edits.scale(1, { positions: [prompt.length + 6] }));
      infinite.scale = beyondFloat32;
      const outcome = await generated(long);
      model.checkFinite = false;
      return outcome;
    });
    expect(later).toMatchObject({ error: "ACTIVATION_NOT_FINITE", tokens: { length: 7 } });
  });

  it.skipIf(isSplit)("runs modules in JavaScript, and modules that read values", async () => {
    const steps: number[] = [];
    class Doubled extends HostModule {
      run(x: Float32Array, out: Float32Array, _: unknown, at: { step: number }) {
        steps.push(at.step);
        for (let i = 0; i < x.length; i++) out[i] = 2 * x[i];
      }
    }
    const swapped = await load(directory);
    swapped.layers[1].mlp = new Doubled();
    // A stop that nobody could foresee: no pass behind it may have begun.
    const drawn = { ...long, temperature: 1, seed: 2 };
    const { text } = await swapped.generate(prompt, drawn).done;
    const { seen, generation } = await bothWays(async () => {
      steps.length = 0;
      const outcome = await generated({ ...drawn, stop: text.slice(6, 8) }, () => {}, swapped);
      outcome.seen.push([...steps]);
      return outcome;
    }, swapped);
    expect(generation?.finish).toBe("stop");
    expect(seen).toEqual([Array.from(generation?.ids ?? [], (_, step) => step)]);
    const reading = await load(directory);
    const { mlp } = reading.layers[0];
    const forward = mlp.call.bind(mlp);
    mlp.call = (x) => {
      x.dataSync();
      return forward(x);
    };
    await bothWays(() => generated({ ...long, maxNewTokens: 6 }, () => {}, reading), reading);
  });

  it("looks at attention patterns, for which a plan serves 256 keys", async () => {
    using _ = model.edit("layers.0.attn.pattern", edits.scale(0.5, { heads: [1] }));
    const beginning = Array.from({ length: 252 }, (_, i) => 30 + (i % 50));
    await bothWays(() => generated({ ...long, maxNewTokens: 8 }, () => {}, model, beginning));
  });

  it("any settings give the same texts", async () => {
    const settings = fc.record({
      maxNewTokens: fc.integer({ min: 1, max: 10 }),
      temperature: fc.constantFrom(0, 0.7, 1.5),
      topK: fc.constantFrom(0, 1, 5),
      topP: fc.constantFrom(0, 0.8),
      seed: fc.nat(1000),
      logprobs: fc.boolean(),
      stop: fc.constantFrom<string[]>([], ["a"], ["e", "the"]),
    });
    const rows = fc.array(fc.array(fc.integer({ min: 3, max: 290 }), { minLength: 1, maxLength: 40 }), {
      minLength: 1,
      maxLength: 3,
    });
    await fc.assert(
      fc.asyncProperty(rows, settings, async (batch, options) => {
        await bothWays(() => model.generateBatch(batch, { ...options, stopAtEos: false }));
        expect(pagesInUse()).toBe("0");
      }),
      { numRuns: own.device === "cuda" || isSplit ? 8 : 25 },
    );
  });
}
