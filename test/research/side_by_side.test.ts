import { beforeAll, describe, expect, it } from "vitest";
import {
  ablationStudy,
  activationPatching,
  attentionPatterns,
  edits,
  headPatching,
  type LanguageModel,
  loadModel,
  logitAttribution,
  logitLens,
  mlpSparsity,
  neuronExamples,
  neuronPatching,
  predictZeros,
  steeringVector,
} from "../../src/index.js";
import { withHost } from "../display/host.js";
import { codeOf, failureOf } from "../support/codes.js";
import { expectSameBits } from "../tensor/ops/on_device.js";

// Research tools that are asked for at the same time: each must find what it finds alone.
let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel();
});

const clean = "In a quiet forest, there lived a gentle boy named Tom. On the way home,";
const corrupted = clean.replace("Tom", "Ben");
const pair = { clean, corrupted, answer: "Tom", wrong: "Ben", progress: false } as const;
const quiet = { progress: false };

type Task = readonly [name: string, run: (of: LanguageModel) => Promise<unknown>];

const patching: Task = ["activationPatching", async (of) => (await activationPatching(of, pair)).effect];
const heads: Task = ["headPatching", async (of) => (await headPatching(of, pair)).effect];
const neurons = (layer: number): Task => [
  `neuronPatching ${layer}`,
  async (of) => (await neuronPatching(of, { ...pair, layer })).effect,
];
const ablation = (kind: "zero" | "mean"): Task => [
  `ablationStudy ${kind}`,
  async (of) => {
    const { loss, baseline } = await ablationStudy(of, clean, { ...quiet, kind });
    return { loss, baseline };
  },
];
const sparsity: Task = [
  "mlpSparsity",
  async (of) => (await mlpSparsity(of, Array<string>(12).fill(corrupted), quiet)).table().values,
];
const logits: Task = ["logits", (of) => of.logits(clean)];
const logprobs: Task = ["logprobs", async (of) => (await of.logprobs(corrupted)).data];
const cached: Task = [
  "runWithCache",
  async (of) => {
    const { cache } = await of.runWithCache(clean, { names: ["layers.*.mlp.act"] });
    return cache.stack("layers.*.mlp.act").data;
  },
];
const generation: Task = [
  "generate",
  async (of) => (await of.generate(clean, { maxNewTokens: 12, stopAtEos: false }).done).ids,
];
const readers: Task[] = [
  ["logitLens", async (of) => (await logitLens(of, clean, quiet)).table().values],
  [
    "logitAttribution",
    async (of) => {
      const { answer, wrong } = pair;
      const { heads: parts, mlp, logitDifference } = await logitAttribution(of, clean, { answer, wrong });
      return { parts, mlp, logitDifference };
    },
  ],
  ["attentionPatterns", async (of) => (await attentionPatterns(of, clean)).data],
  ["neuronExamples", (of) => neuronExamples(of, clean, { ...quiet, layer: 2, neuron: 5, chunkTokens: 4 })],
  [
    "steeringVector",
    async (of) =>
      (await steeringVector(of, { ...quiet, site: "layers.2.out", pairs: [[clean, corrupted]] })).direction,
  ],
  ["predictZeros", async (of) => (await predictZeros(of, [clean, corrupted], quiet)).layers],
];

/** Runs the tasks one after the other, and then at once. */
async function expectSameSideBySide(tasks: readonly Task[], of = model): Promise<void> {
  const alone: unknown[] = [];
  for (const [, run] of tasks) alone.push(await run(of));
  const together = await Promise.all(tasks.map(([, run]) => run(of)));
  for (const [index, [name]] of tasks.entries()) expect(together[index], name).toEqual(alone[index]);
  expect(of.runtime.interventions.size).toBe(0);
}

describe("tools that are asked for at once find what each finds alone", () => {
  const pairs: readonly Task[][] = [
    [patching, heads],
    [ablation("mean"), ablation("zero")],
    [ablation("mean"), ablation("mean")],
    [3, 4, 5].map(neurons),
    [patching, sparsity],
  ];
  it.each(pairs.map((tasks) => [tasks.map(([name]) => name).join(", "), tasks] as const))("%s", (_, tasks) =>
    expectSameSideBySide(tasks),
  );

  it("the head that does most, beside another sweep: 5.1, by 0.42", async () => {
    const [, { effect }] = await Promise.all([activationPatching(model, pair), headPatching(model, pair)]);
    const most = effect.data.indexOf(Math.max(...effect.data));
    expect([Math.floor(most / effect.shape[1]), most % effect.shape[1]]).toEqual([5, 1]);
    // What the sweep of heads alone gave before there were turns.
    expect(effect.data[most]).toBeCloseTo(0.4217, 3);
  });

  it("all of them, with plain passes and a generation between them", () =>
    expectSameSideBySide([
      logits,
      patching,
      generation,
      ...readers.slice(0, 3),
      ablation("mean"),
      logprobs,
      cached,
      heads,
      ...readers.slice(3),
      neurons(2),
      sparsity,
    ]));

  it("of a model that is split over two ranks", async () => {
    const split = await loadModel(undefined, { tensorParallel: 2 });
    await expectSameSideBySide([heads, logits, ablation("mean"), generation, neurons(1)], split);
  });

  it("passes that are asked for all the time while a tool runs", async () => {
    const wanted = await model.logits(clean);
    let isRunning = true;
    const study = ablationStudy(model, clean, quiet).finally(() => {
      isRunning = false;
    });
    let passes = 0;
    while (isRunning) {
      expectSameBits((await model.logits(clean)).data, wanted.data);
      passes++;
    }
    expect(passes).toBeGreaterThan(0);
    await study;
  });
});

describe("turns", () => {
  it("come in the order in which they were asked for", async () => {
    const ended: string[] = [];
    const tasks = [heads, logits, ablation("zero"), logprobs, neurons(1), generation];
    await Promise.all(tasks.map(([name, run]) => run(model).then(() => ended.push(name))));
    expect(ended).toEqual(tasks.map(([name]) => name));
  });

  it("an error in one leaves the next ones right, and nothing in force", async () => {
    const [wanted, wantedLogits] = [await heads[1](model), await model.logits(clean)];
    let calls = 0;
    const hook = model.hook("layers.0.out", () => {
      if (++calls > 5) throw new Error("broken");
    });
    const failing = failureOf(ablationStudy(model, clean, quiet)).then((failure) => {
      hook.dispose();
      return failure;
    });
    const none = failureOf(activationPatching(model, { ...pair, wrong: "Tom" }));
    const next = heads[1](model);
    const last = model.logits(clean);
    expect(await failing).toMatch(/^HOOK_FAILED/);
    expect(await none).toMatch(/^PATCHING_NO_DIFFERENCE/);
    expect(await next).toEqual(wanted);
    expect((await last).data).toEqual(wantedLogits.data);
    expect(model.runtime.interventions.size).toBe(0);
  });

  it("a tool waits for a generation, also when it is asked for in its loop", async () => {
    const options = { maxNewTokens: 100, stopAtEos: false };
    const wanted = await heads[1](model);
    const { ids } = await model.generate(clean, options).done;
    const stream = model.generate(clean, options);
    let found: unknown;
    for await (const _ of stream) found ??= await heads[1](model);
    expect(found).toEqual(wanted);
    expect((await stream.done).ids).toEqual(ids);
  });

  it("what is in force may not be changed from outside while a tool runs or waits; afterwards it may", async () => {
    const before = model.edit("layers.0.out", edits.scale(0.9));
    const running = [ablationStudy(model, clean, quiet), headPatching(model, pair)] as const;
    const acts = [
      () => model.edit("layers.0.out", edits.zero()),
      () => model.hook("layers.0.out", () => {}),
      () => model.watch("layers.0.out", () => {}),
      () => model.countFiring(),
    ];
    for (const act of acts) {
      expect(codeOf(act)).toBe("MODEL_BUSY");
      expect(act).toThrow(/activationPatching or ablationStudy, runs or waits for its turn: await it first/);
    }
    await running[0];
    for (const act of acts) expect(codeOf(act)).toBe("MODEL_BUSY");
    await running[1];
    for (const act of acts) act().dispose();
    before.dispose();
  });
});

describe("what is called inside of a tool does not wait for it", () => {
  it("passes, a generation and another tool that a hook asks for", async () => {
    let asked: Promise<unknown[]> | undefined;
    const order: string[] = [];
    const hook = model.hook("layers.0.in", () => {
      asked ??= Promise.all([
        model.logits(corrupted),
        model.logprobs(clean),
        model.generate(clean, { maxNewTokens: 3, stopAtEos: false }).done,
        neuronPatching(model, { ...pair, layer: 1, units: [5] }),
      ]).finally(() => order.push("asked in a hook"));
    });
    await ablationStudy(model, clean, quiet).then(() => order.push("the tool"));
    await asked;
    hook.dispose();
    expect(order).toEqual(["asked in a hook", "the tool"]);
  });

  it("whoever has the model to himself may use all of it, and others wait", async () => {
    const wanted = [await logits[1](model), await heads[1](model), await generation[1](model)];
    const order: string[] = [];
    const inside = model.runtime.alone(async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const found = [await logits[1](model), await heads[1](model), await generation[1](model)];
      using _edit = model.edit("layers.1.out", edits.zero());
      expect(await model.logits(clean)).not.toEqual(wanted[0]);
      order.push("inside");
      return found;
    });
    const outside = model.logits(clean).then((result) => {
      order.push("outside");
      return result;
    });
    expect(await inside).toEqual(wanted);
    expect(await outside).toEqual(wanted[0]);
    expect(order).toEqual(["inside", "outside"]);
  });

  it("another model is used as always", async () => {
    const other = await loadModel();
    const wanted = await other.logits(clean);
    await model.runtime.alone(async () => {
      const [found] = await Promise.all([other.logits(clean), ablationStudy(other, clean, quiet)]);
      expect(found).toEqual(wanted);
    });
  });
});

describe("the end of waiting", () => {
  it("a signal ends what waits for a tool, while that goes on", async () => {
    const wanted = await ablation("mean")[1](model);
    const controller = new AbortController();
    const { signal } = controller;
    let isRunning = true;
    const study = ablation("mean")[1](model).finally(() => {
      isRunning = false;
    });
    const stream = model.generate(clean, { signal });
    const waiting = [
      model.logits(clean, { signal }),
      model.logprobs(clean, { signal }),
      model.runWithCache(clean, { names: ["layers.0.out"], signal }),
      model.prefill(clean, { signal }),
      ablationStudy(model, clean, { ...quiet, signal }),
      activationPatching(model, { ...pair, signal }),
      mlpSparsity(model, clean, { ...quiet, signal }),
      logitLens(model, clean, { ...quiet, signal }),
      logitAttribution(model, clean, { answer: "Tom", signal }),
      steeringVector(model, { ...quiet, site: "layers.2.out", pairs: [[clean, corrupted]], signal }),
    ];
    const behind = model.logits(clean);
    setTimeout(() => controller.abort(), 2);
    const ends = await Promise.all(waiting.map((one) => failureOf(one)));
    expect(ends.map((end) => end.split(":")[0])).toEqual(waiting.map(() => "INTERRUPTED"));
    expect((await stream.done).finish).toBe("interrupted");
    expect(isRunning).toBe(true);
    expect(await study).toEqual(wanted);
    expect(await behind).toEqual(await model.logits(clean));
    using whole = model.kv.createSequence();
    whole.extend(4 * model.maxLength);
  });

  it("the stop button ends what waits and has no signal", async () => {
    const wanted = await heads[1](model);
    const running = heads[1](model);
    await withHost(async (_, interrupt) => {
      const waiting = [
        model.logits(clean),
        attentionPatterns(model, clean),
        neuronPatching(model, { ...pair, layer: 1 }),
      ];
      setTimeout(interrupt, 2);
      for (const end of await Promise.all(waiting.map((one) => failureOf(one)))) {
        expect(end).toMatch(/^INTERRUPTED/);
      }
    });
    expect(await running).toEqual(wanted);
  });

  it("cancelling a stream that waits ends it without a token, and the next may begin", async () => {
    const study = ablation("zero")[1](model);
    const stream = model.generate(clean);
    expect(await failureOf(model.generate(clean).done)).toMatch(/^MODEL_BUSY: a second generation/);
    stream.cancel();
    expect(await stream.done).toMatchObject({ ids: [], finish: "interrupted" });
    const next = generation[1](model);
    await study;
    expect(await next).toEqual(await generation[1](model));
  });
});
