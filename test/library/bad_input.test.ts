import { cpSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import { failureOf } from "../support/codes.js";
import { collectGarbage } from "../support/collect_garbage.js";
import { temporaryDirectory, tinyCheckpoint, tinyConfig } from "../support/tiny_checkpoint.js";

let good: string;
let model: LanguageModel;
const scratch = temporaryDirectory();
beforeAll(async () => {
  good = await tinyCheckpoint();
  model = await loadModel(good);
});

let copies = 0;
/** A copy of the good checkpoint that may be spoiled. */
function copy(): string {
  const directory = join(scratch, `copy-${copies++}`);
  cpSync(good, directory, { recursive: true });
  return directory;
}

describe("loading: each is one clear error, and the next call works", () => {
  const failure = async (directory: string, options: object = {}) => {
    const text = await failureOf(loadModel(directory, options as never), directory);
    expect((await loadModel(good)).config.vocabSize).toBe(tinyConfig.vocab_size);
    return text;
  };

  it("a wrong path", async () => {
    expect(await failure(join(scratch, "nowhere"))).toMatchInlineSnapshot(
      `"CHECKPOINT_NOT_FOUND: "<directory>": expected a directory or a model on the hub, but there is no directory <directory>, and a name on the hub has the form owner/name."`,
    );
  });

  it("a folder without config.json", async () => {
    const directory = copy();
    rmSync(join(directory, "config.json"));
    expect(await failure(directory)).toMatchInlineSnapshot(
      `"CONFIG_MISSING: <directory>: expected config.json, found none. Give a directory in Hugging Face format, or of Adept's release (with latest_checkpointed_iteration.txt)."`,
    );
  });

  it("a folder without weights", async () => {
    const directory = copy();
    rmSync(join(directory, "model.safetensors"));
    expect(await failure(directory)).toMatchInlineSnapshot(
      `"WEIGHTS_MISSING: <directory>: expected one of model.safetensors, model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json, found none. The directory holds a config but no weights: fetch them, or convert the checkpoint to Hugging Face format."`,
    );
  });

  it("a shard that is cut short", async () => {
    const directory = copy();
    truncateSync(join(directory, "model.safetensors"), 60_000);
    expect(await failure(directory)).toMatchInlineSnapshot(
      `"CHECKPOINT_TRUNCATED: <directory>/model.safetensors: tensor "model.embed_tokens.weight" ends at byte 80768, but the file has 60000 bytes. It was probably not downloaded completely: fetch it again."`,
    );
  });

  it("a shard of other bytes", async () => {
    const directory = copy();
    writeFileSync(join(directory, "model.safetensors"), "<!doctype html><title>404</title>");
    expect(await failure(directory)).toMatchInlineSnapshot(
      `"SAFETENSORS_INVALID: <directory>/model.safetensors: expected a header of 2 to 100000000 bytes, but its first 8 bytes say 8104636974849335612; not a safetensors file, or a corrupt one."`,
    );
  });

  it("a config that is no JSON", async () => {
    const directory = copy();
    writeFileSync(join(directory, "config.json"), "{");
    // The rest of the sentence is V8's and differs between versions.
    expect(await failure(directory)).toMatch(
      /^CONFIG_INVALID: <directory>\/config.json: expected JSON in UTF-8: /,
    );
  });

  it("a config of another size than the weights", async () => {
    const directory = copy();
    const json = { ...tinyConfig, hidden_size: 64 };
    writeFileSync(join(directory, "config.json"), JSON.stringify(json));
    expect(await failure(directory)).toMatchInlineSnapshot(
      `"TENSOR_SHAPE: <directory>: found 34 tensors of another shape than config.json gives: "model.embed_tokens.weight [301,32] for [301,64]", "model.layers.0.input_layernorm.weight [32] for [64]", "model.layers.0.input_layernorm.bias [32] for [64]", "model.layers.0.self_attn.query_key_value.weight [96,32] for [192,64]", "model.layers.0.self_attn.query_key_value.bias [96] for [192]", ... (34 in all)."`,
    );
  });

  it("another kind of model", async () => {
    const directory = copy();
    writeFileSync(join(directory, "config.json"), JSON.stringify({ ...tinyConfig, model_type: "llama" }));
    expect(await failure(directory)).toMatchInlineSnapshot(
      `"CONFIG_UNSUPPORTED: <directory>/config.json: "model_type" must be "persimmon", but found "llama" (a string)."`,
    );
  });

  it("a damaged tokenizer", async () => {
    const directory = copy();
    truncateSync(join(directory, "tokenizer.model"), 100);
    expect(await failure(directory)).toMatch(/^TOKENIZER_/);
  });

  it("a file where the folder should be", async () => {
    const directory = copy();
    const file = join(directory, "model.safetensors");
    expect(await failureOf(loadModel(file), directory)).toMatchInlineSnapshot(
      `"CHECKPOINT_NOT_FOUND: "<directory>/model.safetensors": expected a directory or a model on the hub, but <directory>/model.safetensors is a file. Give the directory that holds it."`,
    );
  });

  it("an option that there is not", async () => {
    expect(await failure(good, { dtyp: "float32" })).toMatchInlineSnapshot(
      `"OPTION_UNKNOWN: loadModel has no option "dtyp" (did you mean "dtype"?); it has device, dtype, threads, matmulPrecision, tensorParallel, maxLength, kvDtype, skipZeros, predictZeros, rope, memoryCheck, onMemory, onProgress, signal"`,
    );
  });

  it("dtypes and devices that there are not", async () => {
    expect(await failure(good, { dtype: "int2" })).toMatchInlineSnapshot(
      `"DTYPE_UNSUPPORTED: dtype must be "auto", "float32", "bfloat16", "int8" or "int4", got "int2""`,
    );
    expect(await failure(good, { dtype: "float16" })).toMatch(/^DTYPE_UNSUPPORTED/);
    // Of a build with CUDA it says what is wrong with the GPU instead.
    expect(await failure(good, { device: "cuda" })).toMatch(
      /^DEVICE_UNAVAILABLE: (this build has no CUDA kernels: they are built on request, by nvcc \(PERSIMMON_CUDA=ON npm run build\)|no GPU can be used: .+); use device: "cpu"$/,
    );
    expect(await failure(good, { device: "tpu" })).toMatchInlineSnapshot(
      `"DEVICE_UNAVAILABLE: device must be "auto", "cpu" or "cuda", got "tpu""`,
    );
    expect(await failure(good, { rope: "yarn" as "hf" })).toMatchInlineSnapshot(
      `"ROPE_UNSUPPORTED: rope must be "hf" or "adept", got "yarn""`,
    );
  });

  it("lengths and threads that make no sense", async () => {
    expect(await failure(good, { maxLength: 1000 })).toMatchInlineSnapshot(
      `"MAX_LENGTH_INVALID: maxLength must be a whole number from 1 to 512 (the model's max_position_embeddings), got 1000"`,
    );
    for (const maxLength of [0, -1, 1.5, Number.NaN]) {
      expect(await failure(good, { maxLength })).toMatch(/^MAX_LENGTH_INVALID/);
    }
    expect(await failure(good, { threads: 0 })).toMatchInlineSnapshot(
      `"THREADS_INVALID: threads must be a whole number from 1 to 1024, got 0"`,
    );
  });

  it("a model without a tokenizer takes ids and says what text needs", async () => {
    const directory = copy();
    rmSync(join(directory, "tokenizer.model"));
    const bare = await loadModel(directory);
    const { ids, text } = await bare.generate([1, 5], { maxNewTokens: 3, stopAtEos: false }).done;
    expect(ids).toEqual((await model.generate([1, 5], { maxNewTokens: 3, stopAtEos: false }).done).ids);
    expect(text).toBe("");
    expect(await failureOf(bare.generate("a text").done, directory)).toMatchInlineSnapshot(
      `"TOKENIZER_MISSING: <directory> has no tokenizer (tokenizer.model or tokenizer.json); give token ids instead of text, or add the file"`,
    );
  });
});

describe("prompts: each is one clear error in every method, and the next call works", () => {
  const methods = {
    logits: (prompt: never) => model.logits(prompt),
    logprobs: (prompt: never) => model.logprobs(prompt),
    generate: (prompt: never) => model.generate(prompt).done,
    generateBatch: (prompt: never) => model.generateBatch([[1], prompt]),
    prefill: (prompt: never) => model.prefill(prompt),
    runWithCache: (prompt: never) => model.runWithCache(prompt, { names: ["logits"] }),
  };
  const failures = async (prompt: unknown) => {
    const found = new Set<string>();
    for (const run of Object.values(methods)) found.add(await failureOf(run(prompt as never)));
    const { ids } = await model.generate([1, 5], { maxNewTokens: 2, stopAtEos: false }).done;
    expect(ids).toHaveLength(2);
    return [...found];
  };

  it("no token", async () => {
    expect(await failures([])).toMatchInlineSnapshot(`
      [
        "PROMPT_EMPTY: the prompt has no token: give a text, an id, or \`bos: true\` to begin with the BOS token",
      ]
    `);
    expect(await failureOf(model.generate("", { bos: false }).done)).toMatch(/^PROMPT_EMPTY/);
  });

  it("an empty text begins with BOS where the model has one, and is a prompt then", async () => {
    expect(model.encodePrompt("", true)).toHaveLength(1);
  });

  it("longer than the context", async () => {
    expect(await failures(new Array(tinyConfig.max_position_embeddings + 1).fill(5))).toMatchInlineSnapshot(`
      [
        "PROMPT_TOO_LONG: the prompt has 513 tokens, but the context holds 512: shorten it",
      ]
    `);
    const short = await loadModel(good, { maxLength: 4 });
    expect(await failureOf(short.logits([1, 2, 3, 4, 5]))).toMatchInlineSnapshot(
      `"PROMPT_TOO_LONG: the prompt has 5 tokens, but the context holds 4: shorten it, or load the model with a larger maxLength"`,
    );
    using kv = await short.prefill([1, 2, 3]);
    expect(await failureOf(short.generate([4, 5], { kv }).done)).toMatch(/^PROMPT_TOO_LONG/);
    expect(kv.length).toBe(3);
  });

  it("ids outside the vocabulary", async () => {
    expect(await failures([1, tinyConfig.vocab_size])).toMatchInlineSnapshot(`
      [
        "TOKEN_ID_OUT_OF_RANGE: id 301 at index 1 is outside the vocabulary of 301 tokens",
      ]
    `);
    for (const id of [-1, 2 ** 40]) {
      for (const failure of await failures([1, id])) expect(failure).toMatch(/^TOKEN_ID_OUT_OF_RANGE/);
    }
  });

  it.each<[unknown, string]>([
    [1.5, "1.5"],
    [Number.NaN, "NaN"],
    ["5", '"5"'],
    [null, "null"],
    [undefined, "undefined"],
    [5n, "5n"],
    [[5], "[5]"],
  ])("%o among the ids is no token", async (id, shown) => {
    for (const failure of await failures([1, id])) {
      expect(failure).toMatch(/^PROMPT_INVALID: .*whole numbers/);
      expect(failure).toContain(`got ${shown} at index 1`);
    }
  });

  it("no prompt at all", async () => {
    for (const prompt of [undefined, null, 5, {}, true]) {
      for (const failure of await failures(prompt)) expect(failure).toMatch(/^PROMPT_INVALID/);
    }
  });

  it("the sequence of another model, a released one, or one for several rows", async () => {
    const other = await loadModel(good);
    using kv = await other.prefill([1, 2]);
    expect(await failureOf(model.generate([5], { kv }).done)).toMatchInlineSnapshot(
      `"SEQUENCE_FOREIGN: a KV sequence belongs to the model that made it (prefill or kv.createSequence) and to no other"`,
    );
    expect(await failureOf(model.prefill([5], { kv }))).toMatch(/^SEQUENCE_FOREIGN/);
    expect(await failureOf(model.generate([5], { kv: {} as never }).done)).toMatch(/^SEQUENCE_FOREIGN/);
    expect(kv.length).toBe(2);
    const released = await model.prefill([1, 2]);
    released.release();
    expect(await failureOf(model.generate([5], { kv: released }).done)).toMatchInlineSnapshot(
      `"SEQUENCE_RELEASED: this KV sequence was released and cannot be used again"`,
    );
    using own = await model.prefill([1, 2]);
    const rows = model.generateBatch([[5], [6]], { kv: own } as never);
    expect(await failureOf(rows)).toMatch(/^(SEQUENCE_REPEATED|OPTION_UNKNOWN)/);
    expect(own.length).toBe(2);
  });

  it("more sequences than the KV cache has room for", async () => {
    const small = await loadModel(good, { maxLength: 32 });
    const held = await Promise.all([1, 2, 3, 4].map(() => small.prefill([1, 2, 3])));
    expect(await failureOf(small.logits([1, 2, 3]))).toMatchInlineSnapshot(
      `"KV_CACHE_FULL: a text of 0 tokens that goes on by 3 needs 1 pages of 32 positions, 0 are free: 4 of the 4 pages of the KV cache are in use, by 4 sequences of 12 positions together (each takes whole pages of 32): release sequences that are done with (model.kv.sequences lists them), give fewer or shorter prompts at once, or load the model with a larger maxLength (the cache has room for four contexts, on a GPU for what fits into half of its free memory)"`,
    );
    held[0].release();
    expect((await small.logits([1, 2, 3])).shape).toEqual([3, tinyConfig.vocab_size]);
  });

  it("sequences that nobody holds are no hindrance once they were collected", async () => {
    const small = await loadModel(good, { maxLength: 32 });
    for (let i = 0; i < 4; i++) await small.prefill([1, 2, 3]);
    await collectGarbage();
    expect(small.kv.sequences).toEqual([]);
    const kept = await Promise.all([1, 2, 3, 4].map(() => small.prefill([1, 2, 3])));
    await collectGarbage();
    expect(small.kv.sequences).toEqual(kept);
  });
});
