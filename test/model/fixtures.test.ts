import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import { Module } from "../../src/nn/module.js";
import { allSites, type Site } from "../../src/runtime/sites.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { testDevice } from "../support/device.js";
import { expectNear, readFixture, type TextCase } from "../support/fixtures.js";
import { sharedDirectory, sharedOrSkip } from "../support/shared.js";

/** Sites by the names of the fixtures, `{i}` being the layer. */
const siteOf: Record<string, string> = {
  embed_out: "embed.out",
  "layers.{i}.q_norm": "layers.{i}.attn.q",
  "layers.{i}.k_norm": "layers.{i}.attn.k",
  "layers.{i}.v": "layers.{i}.attn.v",
  "layers.{i}.q_rope": "layers.{i}.attn.qRot",
  "layers.{i}.k_rope": "layers.{i}.attn.kRot",
  "layers.{i}.attn_probs": "layers.{i}.attn.pattern",
  "layers.{i}.attn_context": "layers.{i}.attn.z",
  "layers.{i}.attn_out": "layers.{i}.attn.out",
  "layers.{i}.post_attention_layernorm": "layers.{i}.mlp.in",
  "layers.{i}.mlp_pre": "layers.{i}.mlp.pre",
  "layers.{i}.mlp_act": "layers.{i}.mlp.act",
  "layers.{i}.mlp_out": "layers.{i}.mlp.out",
  "layers.{i}.layer_out": "layers.{i}.out",
  final_layernorm: "finalNorm.out",
};

/** A module that notes what comes out of another. */
class Recorder extends Module {
  output: Promise<Float32Array> | undefined;
  inner: Module;
  constructor(inner: Module) {
    super();
    this.inner = inner;
  }
  protected override forward(x: Tensor): Tensor {
    const y = this.inner.call(x);
    this.output = y.data();
    return y;
  }
}

/** Rows of `width` numbers at the kept positions. */
function rowsAt(values: Float32Array, width: number, positions: readonly number[]): Float32Array {
  return Float32Array.from(positions.flatMap((row) => [...values.subarray(row * width, (row + 1) * width)]));
}

/** [tokens, heads, keys] → [heads, tokens, keys], as the fixtures have patterns. */
function headsFirst(data: Float32Array, [tokens, heads, keys]: number[]): Float32Array {
  const out = new Float32Array(data.length);
  for (let t = 0; t < tokens; t++) {
    for (let h = 0; h < heads; h++) {
      out.set(data.subarray((t * heads + h) * keys, (t * heads + h + 1) * keys), (h * tokens + t) * keys);
    }
  }
  return out;
}

const fixtures = [
  { name: "tiny-f32", from: "tiny-f32" },
  { name: "tiny-bf16-sharded", from: "tiny-bf16-sharded" },
  // The weights of tiny-bf16-sharded as torch pickles.
  { name: "tiny-bf16-bin", from: "tiny-bf16-sharded" },
  { name: "head64", from: "head64" },
];

for (const { name, from } of fixtures) {
  sharedOrSkip(`reference/${name}`, `fixture ${name}`, (directory) => {
    describe.each(["auto", "float32"] as const)("dtype %s", (dtype) => {
      let model: LanguageModel;
      let fixture: ReturnType<typeof readFixture>;
      beforeAll(async () => {
        fixture = readFixture(join(sharedDirectory, "reference", from));
        model = await loadModel(directory, { dtype, device: testDevice });
      });

      it("holds the weights as asked", () => {
        const stored = name === "tiny-f32" ? "float32" : "bfloat16";
        expect(model.dtype).toBe(dtype === "auto" ? stored : "float32");
      });

      it("every activation is within 1e-4 and the logits within 5e-4 of Hugging Face", async () => {
        const { reference, tensors } = fixture;
        const layers = model.layers.map((layer) => {
          const norm = new Recorder(layer.inputLayernorm);
          const attention = layer.selfAttn as unknown as { queryKeyValue: Module };
          const qkv = new Recorder(attention.queryKeyValue);
          layer.inputLayernorm = norm;
          attention.queryKeyValue = qkv;
          return { layer, attention, norm, qkv };
        });
        // In one pass, so that each recorder sees all positions at once.
        model.runtime.chunkTokens = reference.prompt_ids.length;
        const { cache, logits } = await model.runWithCache(reference.prompt_ids, {
          names: allSites(model.config),
          keep: reference.activation_positions,
        });
        const checked = new Set<string>();
        for (const [layer, parts] of layers.entries()) {
          const { hiddenSize } = model.config;
          const outputs = [
            ["input_layernorm", parts.norm, hiddenSize],
            ["qkv", parts.qkv, 3 * hiddenSize],
          ] as const;
          for (const [part, recorder, width] of outputs) {
            const values = rowsAt((await recorder.output)!, width, reference.activation_positions);
            const key = `layers.${layer}.${part}`;
            expectNear(key, values, tensors.get(key)!.data, 1e-4);
            checked.add(key);
          }
          parts.layer.inputLayernorm = parts.norm.inner;
          parts.attention.queryKeyValue = parts.qkv.inner;
        }
        for (const [key, { data, shape }] of tensors) {
          const layer = /^layers\.(\d+)\./.exec(key)?.[1];
          const pattern = siteOf[key.replace(/^layers\.\d+/, "layers.{i}")];
          if (pattern === undefined) continue;
          const found = cache.get(pattern.replace("{i}", layer ?? "") as Site);
          const isPattern = key.endsWith("attn_probs");
          expect(found.positions).toEqual(reference.activation_positions);
          if (!isPattern) expect(found.shape).toEqual(shape);
          expectNear(key, isPattern ? headsFirst(found.data, found.shape) : found.data, data, 1e-4);
          checked.add(key);
        }
        const known = /^(logits|logits_f64|greedy_.*|prompt_.*|positions)$/;
        expect([...tensors.keys()].filter((key) => !checked.has(key) && !known.test(key))).toEqual([]);

        const kept = rowsAt(logits.data, model.config.vocabSize, reference.activation_positions);
        expectNear("logits", kept, tensors.get("logits")!.data, 5e-4);
        expectNear("logits_f64", kept, tensors.get("logits_f64")!.data, 5e-4);
      });

      it("greedy ids are exact, and their log-probabilities within 5e-4", async () => {
        const { prompt_ids, greedy_ids, greedy_logprobs } = fixture.reference;
        const stream = model.generate(prompt_ids, {
          maxNewTokens: greedy_ids.length,
          logprobs: true,
          stopAtEos: false,
        });
        const logprobs: number[] = [];
        for await (const token of stream) logprobs.push(token.logprob!);
        const { ids, finish } = await stream.done;
        expect(ids).toEqual(greedy_ids);
        expect(finish).toBe("length");
        expectNear("greedy log-probabilities", logprobs, greedy_logprobs, 5e-4);
      });

      it("log-probabilities of the prompt are within 5e-4", async () => {
        const { prompt_ids, prompt_logprobs } = fixture.reference;
        const found = await model.logprobs(prompt_ids);
        expectNear("prompt log-probabilities", found, prompt_logprobs, 5e-4);
        expect(found.ids).toEqual(prompt_ids);
      });
    });
  });
}

sharedOrSkip("reference/head64", "head64 from text to text", (directory) => {
  const path = join(directory, "reference.json");
  // Read while tests are collected, when the fixture may be absent.
  const cases: TextCase[] = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).e2e : [];
  it.each(cases)("$label", async ({ label, text, ids, greedy_ids, generated_text }) => {
    const model = await loadModel(directory, { device: testDevice });
    const bos = !label.includes("no-bos");
    expect(model.encodePrompt(text, bos)).toEqual(ids);
    const stream = model.generate(text, { bos, maxNewTokens: greedy_ids.length, stopAtEos: false });
    let streamed = "";
    for await (const token of stream) streamed += token.text;
    const result = await stream.done;
    expect(result.ids).toEqual(greedy_ids);
    expect(result.text).toBe(generated_text);
    expect(streamed).toBe(generated_text);
  });

  it("begins with BOS by default, as its tokenizer_config.json says", async () => {
    const model = await loadModel(directory, { device: testDevice });
    const [{ text, ids }] = cases;
    expect(model.encodePrompt(text)).toEqual(ids);
  });
});

sharedOrSkip("reference/head64", 'rope: "adept"', (directory) => {
  it("moves the logits of head64 by 7.8 and its greedy text from step 6 on", async () => {
    const { reference } = readFixture(directory);
    const [model, plain] = [
      await loadModel(directory, { rope: "adept", device: testDevice }),
      await loadModel(directory, { device: testDevice }),
    ];
    expect([model.rope, plain.rope]).toEqual(["adept", "hf"]);
    const { data } = await model.logits(reference.prompt_ids);
    const wanted = (await plain.logits(reference.prompt_ids)).data;
    const most = data.reduce((worst, value, i) => Math.max(worst, Math.abs(value - wanted[i])), 0);
    expect(most).toBeCloseTo(7.8, 1);
    const { ids } = await model.generate(reference.prompt_ids, { maxNewTokens: 32, stopAtEos: false }).done;
    expect(ids.findIndex((id, step) => id !== reference.greedy_ids[step])).toBe(6);
  });
});
