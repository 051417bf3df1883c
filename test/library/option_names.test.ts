import { beforeAll, describe, expect, it } from "vitest";
import * as library from "../../src/index.js";
import { failureOf } from "../support/codes.js";

const { display } = library;
let model: library.LanguageModel;
let pair: library.PatchingOptions;
let lens: library.LogitLens;
let patterns: library.AttentionPatterns;
let attribution: library.LogitAttribution;
const quiet = { progress: false };
beforeAll(async () => {
  model = await library.loadModel();
  pair = {
    clean: "Tom met a girl.",
    corrupted: "Tom met a dog.",
    answer: "girl",
    ...quiet,
  };
  lens = await library.logitLens(model, "Once upon", quiet);
  patterns = await library.attentionPatterns(model, "Once upon");
  attribution = await library.logitAttribution(model, "Once upon", { answer: "a" });
});

/** What a call says of an option that it does not have; `options` has it beside those that it needs. */
type Call = (options: never) => unknown;
const refusalOf = (call: Call, options: object) =>
  failureOf(Promise.resolve().then(() => call(options as never)));

describe("every public function names an option that it does not have", () => {
  it.each<[string, Call, () => object, string]>([
    [
      "logits",
      (o) => model.logits("a", o),
      () => ({ prependBos: true }),
      'prependBos" (did you mean "bos"?)',
    ],
    ["logprobs", (o) => model.logprobs("a", o), () => ({ prependBos: true }), 'did you mean "bos"?'],
    ["prefill", (o) => model.prefill("a", o), () => ({ cache: 1 }), "it has kv, bos, signal, onProgress"],
    [
      "runWithCache",
      (o) => model.runWithCache("a", o),
      () => ({ names: ["layers.0.out"], pos: [0] }),
      "it has names, keep, logits, maxBytes, bos, signal, onProgress",
    ],
    ["generate", (o) => model.generate("a", o).done, () => ({ maxTokens: 1 }), "maxTokens"],
    ["loadModel", (o) => library.loadModel(undefined, o), () => ({ type: "int8" }), 'did you mean "dtype"?'],
    [
      "randomModel",
      (o) => library.randomModel({}, o),
      () => ({ maxlength: 16 }),
      'did you mean "maxLength"?',
    ],
    [
      "the shape of randomModel",
      (o) => library.randomModel(o),
      () => ({ layer: 2 }),
      'did you mean "layers"?); it has hidden, layers, heads, ffn, vocab',
    ],
    [
      "logitLens",
      (o) => library.logitLens(model, "a", o),
      () => ({ layers: [1], k: 3 }),
      'no option "layers"; it has positions, topK, bos, signal, progress',
    ],
    ["figure", (o) => lens.figure(o), () => ({ value: "top" }), 'did you mean "values"?'],
    ["figure", (o) => patterns.figure(o), () => ({ layer: [0] }), 'did you mean "layers"?'],
    ["parts", (o) => attribution.parts(o), () => ({ head: true }), 'did you mean "heads"?'],
    ["parts", (o) => attribution.table(o), () => ({ head: true }), 'did you mean "heads"?'],
    [
      "activationPatching",
      (o) => library.activationPatching(model, o),
      () => ({ ...pair, sites: ["layers.*.out"] }),
      'did you mean "site"?',
    ],
    [
      "headPatching",
      (o) => library.headPatching(model, o),
      () => ({ ...pair, site: "layers.*.out" }),
      'no option "site"; it has clean, corrupted, answer, wrong, positions',
    ],
    [
      "neuronPatching",
      (o) => library.neuronPatching(model, o),
      () => ({ ...pair, layer: 1, neurons: [3] }),
      'no option "neurons"; it has clean',
    ],
    [
      "attentionPatterns",
      (o) => library.attentionPatterns(model, "a", o),
      () => ({ layer: [2] }),
      'did you mean "layers"?); it has layers, heads, bos, maxBytes',
    ],
    [
      "logitAttribution",
      (o) => library.logitAttribution(model, "a", o),
      () => ({ answer: "a", incorrect: "Ben" }),
      'no option "incorrect"; it has answer, wrong, position, bos, signal',
    ],
    [
      "ablationStudy",
      (o) => library.ablationStudy(model, "a b", o),
      () => ({ site: [] }),
      'did you mean "sites"?',
    ],
    [
      "mlpSparsity",
      (o) => library.mlpSparsity(model, "a", o),
      () => ({ bin: 3 }),
      'did you mean "bins"?); it has bos, chunkTokens, signal, progress, bins',
    ],
    [
      "neuronExamples",
      (o) => library.neuronExamples(model, "a", o),
      () => ({ layer: 0, neuron: 1, topK: 3 }),
      'did you mean "top"?',
    ],
    ["predictZeros", (o) => library.predictZeros(model, ["a", "b"], o), () => ({ share: 1 }), "share"],
    [
      "steeringVector",
      (o) => library.steeringVector(model, o),
      () => ({ site: "layers.0.out", pairs: [["a", "b"]], positions: "mean" }),
      'did you mean "position"?',
    ],
    ["modelSpeed", (o) => library.modelSpeed(model, o), () => ({ round: 1 }), 'did you mean "rounds"?'],
    [
      "new PrefixCache",
      (o) => new library.PrefixCache(model.runtime, o),
      () => ({ size: 1 }),
      "it has sequences",
    ],
    ["encode", (o) => model.tokenizer.encode("a", o), () => ({ addBos: true }), 'did you mean "bos"?'],
    ["decodeStream", (o) => model.tokenizer.decodeStream(o), () => ({ prompt: [1] }), "it has after"],
    ["display", (o) => display(1, o), () => ({ ID: "a" }), 'did you mean "id"?'],
    ["bar", (o) => display.bar({ labels: ["a"], values: [1] }, o), () => ({ xlabel: "a" }), "xlabel"],
    ["line", (o) => display.line([1], o), () => ({ marker: true }), 'did you mean "markers"?'],
    ["histogram", (o) => display.histogram([1], o), () => ({ bin: 3 }), 'did you mean "bins"?'],
    ["heatmap", (o) => display.heatmap([[1]], o), () => ({ colour: "a" }), "it has columns, rows, values"],
    ["progress", (o) => display.progress(o), () => ({ total: 3, units: "a" }), 'did you mean "unit"?'],
  ])("%s", async (name, call, options, message) => {
    const failure = await refusalOf(call, options());
    expect(failure).toMatch(new RegExp(`^OPTION_UNKNOWN: ${name} has no option "`));
    expect(failure).toContain(message);
  });

  it.each<[string, Call]>([
    ["logits", (o) => model.logits("a", o)],
    ["prefill", (o) => model.prefill("a", o)],
    ["loadModel", (o) => library.loadModel(undefined, o)],
    ["logitLens", (o) => library.logitLens(model, "a", o)],
    ["headPatching", (o) => library.headPatching(model, o)],
    ["logitAttribution", (o) => library.logitAttribution(model, "a", o)],
    ["neuronExamples", (o) => library.neuronExamples(model, "a", o)],
    ["steeringVector", (o) => library.steeringVector(model, o)],
    ["heatmap", (o) => display.heatmap([[1]], o)],
  ])("%s: null and 5 are no set of options", async (name, call) => {
    for (const options of [null, 5]) {
      expect(await refusalOf(call, options as never)).toMatch(
        new RegExp(`^OPTION_INVALID: the options of ${name} are an object with .*, got ${options}$`),
      );
    }
  });
});

describe("values of options that many functions have", () => {
  it.each<[string, Call]>([
    ["logits", (o) => model.logits("a", o)],
    ["logprobs", (o) => model.logprobs("a", o)],
    ["prefill", (o) => model.prefill("a", o)],
    ["runWithCache", (o: object) => model.runWithCache("a", { names: ["layers.0.out"], ...o })],
    ["logitLens", (o: object) => library.logitLens(model, "a", { ...quiet, ...o })],
    ["mlpSparsity", (o: object) => library.mlpSparsity(model, "a", { ...quiet, ...o })],
  ])("%s: bos and signal", async (_, call) => {
    expect(await refusalOf(call, { bos: "false" })).toBe(
      'OPTION_INVALID: bos must be true or false, got "false"',
    );
    for (const signal of [5, null, {}]) {
      expect(await refusalOf(call, { signal })).toMatch(
        /^OPTION_INVALID: signal must be the signal of an AbortController, got/,
      );
    }
  });

  it.each<[string, Call]>([
    ["logits", (o) => model.logits("a", o)],
    ["logprobs", (o) => model.logprobs("a", o)],
    ["prefill", (o) => model.prefill("a", o)],
    ["runWithCache", (o: object) => model.runWithCache("a", { names: ["layers.0.out"], ...o })],
    ["loadModel", (o) => library.loadModel(undefined, o)],
  ])("%s: onProgress", async (_, call) => {
    expect(await refusalOf(call, { onProgress: 5 })).toBe(
      "OPTION_INVALID: onProgress must be a function, got 5",
    );
  });

  it("generate: bos and the switches", async () => {
    expect(await failureOf(model.generate("a", { bos: "false" as never }).done)).toBe(
      'OPTION_INVALID: bos must be true or false, got "false"',
    );
    for (const name of ["logprobs", "stopAtEos", "capture", "breakEverywhere"]) {
      expect(await failureOf(model.generate("a", { [name]: "no" }).done)).toBe(
        `SAMPLING_INVALID: ${name} must be true or false, got "no"`,
      );
    }
  });

  it("maxBytes", async () => {
    for (const maxBytes of ["a", Number.NaN, -1] as never[]) {
      expect(await failureOf(model.runWithCache("a", { names: ["layers.0.out"], maxBytes }))).toMatch(
        /^CACHE_OPTIONS_INVALID: runWithCache: maxBytes must be a number from 0 to Infinity, got/,
      );
      expect(await failureOf(library.attentionPatterns(model, "a", { maxBytes }))).toMatch(
        /^CACHE_OPTIONS_INVALID: attentionPatterns: maxBytes/,
      );
    }
  });

  it("which values a lens shows", () => {
    expect(() => lens.figure({ values: "logits" as never })).toThrowErrorMatchingInlineSnapshot(
      `[PersimmonError: figure: values must be "top" or "prediction", got "logits"]`,
    );
    expect(lens.figure({ values: "prediction" })).toBeDefined();
  });
});
