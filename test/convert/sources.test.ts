import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { openCheckpoint, readTensor } from "../../src/checkpoint/index.js";
import { releaseOfMd5 } from "../../src/convert/known_releases.js";
import { convertCheckpoint } from "../../src/convert.js";
import { loadModel } from "../../src/load_model.js";
import { errorOf, temporaryDirectories } from "../checkpoint/support.js";
import { sharedOrSkip } from "../support/shared.js";

const directory = temporaryDirectories();

sharedOrSkip("reference", "converting every format", (reference) => {
  const release = join(reference, "tiny-megatron-release");
  const tar = () => {
    const path = join(directory(), "8b_tiny_model_release.tar");
    expect(spawnSync("tar", ["-cf", path, "-C", reference, "tiny-megatron-release"]).status).toBe(0);
    return path;
  };
  const bytesOf = async (path: string) => {
    const { tensors } = await openCheckpoint(path);
    const bytes: Record<string, string> = {};
    for (const tensor of tensors.values())
      bytes[tensor.name] = Buffer.from(await readTensor(tensor)).toString("hex");
    return bytes;
  };

  let wanted: Buffer;
  beforeAll(async () => {
    const target = join(directory(), "wanted");
    await convertCheckpoint(join(reference, "tiny-bf16-sharded"), target, { to: "int4" });
    wanted = readFileSync(join(target, "model.safetensors"));
  });

  it.each<[string, () => string]>([
    [".bin shards", () => join(reference, "tiny-bf16-bin")],
    ["Adept's release", () => release],
    ["its tar", tar],
  ])("%s become the same int4 weights", async (_, place) => {
    const target = join(directory(), "int4");
    await convertCheckpoint(place(), target, { to: "int4" });
    expect(readFileSync(join(target, "model.safetensors"))).toEqual(wanted);
  });

  it("gives a release a config in the words of transformers, and its tokenizer the hub's name", async () => {
    // The same vocabulary as transformers has it.
    const { model } = JSON.parse(readFileSync(join(reference, "tokenizer", "tokenizer.json"), "utf8"));
    const endOfText = model.vocab.findIndex(([piece]: [string]) => piece === "|ENDOFTEXT|");
    for (const source of [release, tar()]) {
      const target = join(directory(), "new");
      await convertCheckpoint(source, target, { to: "bfloat16" });
      expect(readdirSync(target).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.model"]);
      expect(JSON.parse(readFileSync(join(target, "config.json"), "utf8"))).toEqual({
        architectures: ["PersimmonForCausalLM"],
        model_type: "persimmon",
        vocab_size: 512,
        hidden_size: 64,
        intermediate_size: 256,
        num_hidden_layers: 4,
        num_attention_heads: 4,
        hidden_act: "relu2",
        max_position_embeddings: 2048,
        layer_norm_eps: 1e-5,
        rope_parameters: { rope_type: "default", rope_theta: 25000, partial_rotary_factor: 0.5 },
        qk_layernorm: true,
        tie_word_embeddings: false,
        attention_dropout: 0,
        hidden_dropout: 0,
        bos_token_id: endOfText,
        eos_token_id: endOfText,
        dtype: "bfloat16",
      });
      expect(await bytesOf(target)).toEqual(await bytesOf(join(reference, "tiny-bf16-sharded")));
      const [before, after] = [await loadModel(source), await loadModel(target)];
      expect(after.eosTokenIds).toEqual(before.eosTokenIds);
      expect((await after.logits("human: hi")).data).toEqual((await before.logits("human: hi")).data);
    }
  });

  it("checks a tar against Adept's archives when it is asked to", async () => {
    const source = tar();
    const parent = directory();
    const error = await errorOf(convertCheckpoint(source, join(parent, "new"), { to: "int8", verify: true }));
    const md5 = createHash("md5").update(readFileSync(source)).digest("hex");
    expect([error.code, error.message]).toEqual(["RELEASE_UNKNOWN", expect.stringContaining(md5)]);
    const folder = convertCheckpoint(release, join(parent, "new"), { to: "int8", verify: true });
    expect([(await errorOf(folder)).code, readdirSync(parent)]).toEqual(["OPTION_INVALID", []]);
  });
});

describe("releaseOfMd5", () => {
  it("knows what Adept's README lists", () => {
    expect(releaseOfMd5("cd0320cba9efad9ccd18e9ec4d16ae1b")).toBe("8b_base_model_release.tar");
    expect(releaseOfMd5("663aeace07269c44e90f4e8bcd07f32a")).toBe("8b_chat_model_release.tar");
    expect(releaseOfMd5("0".repeat(32))).toBeUndefined();
  });
});
