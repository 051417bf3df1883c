import { beforeAll, describe, expect, it } from "vitest";
import * as library from "../../src/index.js";
import { failureOf } from "../support/codes.js";

const { display, edits, nn } = library;
let model: library.LanguageModel;
let cache: library.ActivationCache;
const site = "layers.0.out";
beforeAll(async () => {
  model = await library.loadModel();
  ({ cache } = await model.runWithCache("Once upon", { names: ["layers.*.out", "layers.0.mlp.act"] }));
});

/** `CODE: message` of what a call throws or rejects with. */
const failure = (act: () => unknown) => failureOf(Promise.resolve().then(act));
// As plain JavaScript calls them.
const plain = library as unknown as Record<string, (...args: unknown[]) => unknown>;

describe("arguments of the wrong kind: a code, what was wanted, and what came", () => {
  it.each<[string, () => unknown, RegExp]>([
    [
      "loadModel({ dtype })",
      () => plain.loadModel({ dtype: "int8" }),
      /^ARGUMENT_INVALID: loadModel takes a folder .* loadModel\(undefined, \{ … \}\).*got \{ dtype: "int8" \}$/,
    ],
    ["loadModel(null)", () => plain.loadModel(null), /^ARGUMENT_INVALID: .*got null$/],
    ['loadModel("")', () => plain.loadModel(""), /^ARGUMENT_INVALID: .*got ""$/],
    [
      "predictZeros: true",
      () => plain.loadModel(undefined, { predictZeros: true }),
      /^OPTION_INVALID: predictZeros, the path of a file .* must be a text, got true$/,
    ],
    [
      "maxLength as a text",
      () => plain.loadModel(undefined, { maxLength: "10" }),
      /^MAX_LENGTH_INVALID: .*got "10"$/,
    ],
    ["threads as a text", () => plain.loadModel(undefined, { threads: "2" }), /^THREADS_INVALID: .*got "2"$/],
    [
      "maxNewTokens as a text",
      () => model.generate("a", { maxNewTokens: "10" as never }).done,
      /^SAMPLING_INVALID: maxNewTokens .*got "10"$/,
    ],
    [
      "temperature as a text",
      () => model.generate("a", { temperature: "1" as never }).done,
      /^SAMPLING_INVALID: temperature .*got "1"$/,
    ],
    [
      "loadTokenizer()",
      () => plain.loadTokenizer(),
      /^ARGUMENT_INVALID: loadTokenizer takes the folder of a model, got undefined$/,
    ],
    [
      "loadZeroPredictor()",
      () => plain.loadZeroPredictor(),
      /^ARGUMENT_INVALID: loadZeroPredictor takes the path .*got undefined$/,
    ],
    [
      "saveZeroPredictor()",
      () => plain.saveZeroPredictor(),
      /^ARGUMENT_INVALID: saveZeroPredictor takes .*got undefined and undefined$/,
    ],
    [
      "randomModel()",
      () => plain.randomModel(),
      /^OPTION_INVALID: the options of the shape of randomModel are an object with hidden, .*got undefined$/,
    ],
    [
      "generateBatch(text)",
      () => model.generateBatch("abc" as never),
      /^PROMPT_INVALID: generateBatch takes a list of prompts, got "abc"/,
    ],
    [
      "generateBatch()",
      () => model.generateBatch(undefined as never),
      /^PROMPT_INVALID: generateBatch takes a list of prompts, got undefined/,
    ],
    [
      "logits(texts)",
      () => model.logits(["a", "b"] as never),
      /^PROMPT_INVALID: .*got "a" at index 0; generateBatch takes several texts$/,
    ],
    ["logits(object)", () => model.logits({ text: "a" } as never), /^PROMPT_INVALID: .*got \{ text: "a" \}$/],
    [
      "chatPrompt(messages)",
      () => plain.chatPrompt([{ role: "user", content: "hi" }]),
      /^PROMPT_INVALID: chatPrompt: turn 0 must be \{ human: "…" \}.*got \{ role: "user", content: "hi" \}$/,
    ],
    ["chatPrompt()", () => plain.chatPrompt(), /^PROMPT_INVALID: chatPrompt takes .*got undefined$/],
    [
      "names: [5]",
      () => model.runWithCache("a", { names: [5] as never }),
      /^SITE_UNKNOWN: a site is a name .*got 5$/,
    ],
    [
      "keep: null",
      () => model.runWithCache("a", { names: [site], keep: null as never }),
      /^CACHE_OPTIONS_INVALID: keep must be .*got null$/,
    ],
    [
      "cache.stack()",
      () => cache.stack(undefined as never),
      /^SITE_NOT_CACHED: stack takes a name such as "layers\.\*\.out", got undefined$/,
    ],
    [
      "cache.get(a name with *)",
      () => cache.get("layers.*.out"),
      /^SITE_NOT_CACHED: .*cache\.stack\("layers\.\*\.out"\)/,
    ],
    [
      "cache.get(what was not kept)",
      () => cache.get("layers.*.mid"),
      /^SITE_NOT_CACHED: "layers\.\*\.mid" was not kept by this run/,
    ],
    [
      "display.bar()",
      () => display.bar(undefined as never),
      /^FIGURE_INVALID: bar takes \{ labels, values \}, or a list of them, got undefined$/,
    ],
    [
      "display.bar without labels",
      () => display.bar({ values: [1] } as never),
      /^FIGURE_INVALID: labels must be a list, got undefined$/,
    ],
    [
      "display.line()",
      () => display.line(undefined as never),
      /^FIGURE_INVALID: line takes numbers, \{ y \}, or a list of them, got undefined$/,
    ],
    [
      "display.heatmap()",
      () => display.heatmap(undefined as never),
      /^FIGURE_INVALID: a heat map needs rows of numbers/,
    ],
    ["a hook that is null", () => model.hook(site, null as never), /^ARGUMENT_INVALID: .*got null$/],
    [
      "ablationStudy: sites as a text",
      () => library.ablationStudy(model, "a b", { sites: "layers.*.mlp.out" as never, progress: false }),
      /^ABLATION_OPTIONS_INVALID: ablationStudy: sites must be a list .*got "layers\.\*\.mlp\.out"$/,
    ],
  ])("%s", async (_, act, message) => {
    expect(await failure(act)).toMatch(message);
  });

  const pair = { clean: "Tom met a girl.", corrupted: "Tom met a dog.", answer: "girl", progress: false };
  it.each([undefined, "*", "0", -1, 99, 0.5])("neuronPatching: layer %s", async (layer) => {
    expect(await failure(() => library.neuronPatching(model, { ...pair, layer: layer as never }))).toMatch(
      /^PATCHING_OPTIONS_INVALID: neuronPatching: layer must be a whole number from 0 to 5, got /,
    );
  });

  it("positions are called what the function calls them", async () => {
    const positions = [99];
    const of = { answer: "a", position: 99 };
    expect(await failure(() => library.logitLens(model, "a", { positions, progress: false }))).toMatch(
      /^CACHE_OPTIONS_INVALID: logitLens: positions: position 99 is outside the text of 2 tokens$/,
    );
    expect(await failure(() => library.logitAttribution(model, "a", of))).toMatch(
      /^CACHE_OPTIONS_INVALID: logitAttribution: position: position 99 is outside/,
    );
    expect(await failure(() => library.headPatching(model, { ...pair, positions }))).toMatch(
      /^CACHE_OPTIONS_INVALID: patching: positions: position 99 is outside/,
    );
  });
});

describe("what hooks give back", () => {
  it.each<[unknown, string]>([
    [null, "got null"],
    [[1, 2], "got [1, 2]"],
    [new Float64Array(3), "got a Float64Array of 3"],
    [new Float32Array(3), "got one of 3"],
  ])("%o", async (result, message) => {
    using _ = model.hook(site, () => result as never);
    const text = await failure(() => model.logits("a"));
    expect(text).toMatch(/^HOOK_RESULT_INVALID: the hook at layers\.0\.out must return a Float32Array/);
    expect(text).toContain(message);
  });
});

describe("a module that throws is named", () => {
  class Throws extends nn.Module {
    protected override forward(): library.Tensor {
      throw new TypeError("not today");
    }
  }
  class HostThrows extends nn.HostModule {
    protected override run(): void {
      throw new RangeError("not in here");
    }
  }
  class Coded extends nn.Module {
    protected override forward(): library.Tensor {
      throw new library.PersimmonError("MINE", "as it is");
    }
  }

  async function withMlp(mlp: library.nn.Module, act: () => unknown): Promise<string> {
    const { mlp: before } = model.layers[2];
    model.layers[2].mlp = mlp as never;
    try {
      return await failure(act);
    } finally {
      model.layers[2].mlp = before;
    }
  }

  it("in forward(), with the error as its cause", async () => {
    const act = () => model.logits("a");
    expect(await withMlp(new Throws(), act)).toBe("MODULE_FAILED: layers.2.mlp (Throws) threw: not today");
    const error = await withMlp(new Throws(), () =>
      model.logits("a").catch((found: Error) => {
        throw Object.assign(found.cause as Error, { code: "CAUSE" });
      }),
    );
    expect(error).toBe("CAUSE: not today");
  });

  it("errors of this library stay what they are", async () => {
    expect(await withMlp(new Coded(), () => model.logits("a"))).toBe("MINE: as it is");
  });

  it("in run(), and outside of a pass nothing is wrapped", async () => {
    expect(await withMlp(new HostThrows(), () => model.logits("a"))).toBe(
      "MODULE_FAILED: layers.2.mlp (HostThrows) threw: not in here",
    );
    const x = library.Tensor.from(model.device, new Float32Array(4), [1, 4]);
    expect(() => new Throws().call(x)).toThrow(TypeError);
  });

  it("in host() that a replay of a plan runs", async () => {
    class Later extends nn.Module {
      readonly done = { calls: 0 };
      protected override forward(x: library.Tensor): library.Tensor {
        return nn.host(x, (from, to) => {
          if (this.done.calls++ === 4) throw new Error("the fifth time");
          to.set(from);
        });
      }
    }
    const text = await withMlp(
      new Later(),
      () => model.generate("a", { maxNewTokens: 8, stopAtEos: false }).done,
    );
    expect(text).toBe("MODULE_FAILED: layers.2.mlp (host()) threw: the fifth time");
  });

  it("a layer too many: the KV cache was made for those that were there", async () => {
    model.layers.push(model.layers[0]);
    try {
      expect(await failure(() => model.logits("a"))).toBe(
        "MODULE_INVALID: the model has 7 layers now, but its KV cache was made for 6: replace a layer or take one out, none can be added",
      );
    } finally {
      model.layers.pop();
    }
    expect((await model.logits("a")).shape[0]).toBe(2);
  });
});

it("a name of TransformerLens is answered with the site that it stands for", () => {
  for (const [name, own] of [
    ["hook_embed", "embed.out"],
    ["blocks.0.hook_resid_pre", "layers.0.in"],
    ["blocks.5.hook_resid_post", "layers.5.out"],
    ["blocks.1.attn.hook_z", "layers.1.attn.z"],
    ["blocks.1.attn.hook_rot_q", "layers.1.attn.qRot"],
    ["blocks.*.mlp.hook_post", "layers.*.mlp.act"],
  ]) {
    const act = () => model.edit(name as never, edits.zero());
    expect(act).toThrow(`"${name}" is what TransformerLens calls it; here it is "${own}"`);
    using _ = model.watch(own as never, () => {});
  }
  expect(() => model.edit("blocks.0.hook_none" as never, edits.zero())).toThrow("the nearest are");
});
