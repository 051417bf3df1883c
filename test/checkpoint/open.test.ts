import {
  copyFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  openCheckpoint,
  readTensor,
  type TensorToWrite,
  writeSafetensors,
} from "../../src/checkpoint/index.js";
import { expectedTensors } from "../../src/model/config.js";
import { sharedOrSkip } from "../support/shared.js";
import { errorOf, smallConfig, smallTensors, temporaryDirectories, writeModel } from "./support.js";
import * as make from "./torch_bin/archive.js";

const directory = temporaryDirectories();

/** Splits the small model over two files with an index; `change` edits the index before it is written. */
async function sharded(change: (map: Record<string, unknown>) => void = () => {}): Promise<string> {
  const folder = directory();
  writeFileSync(join(folder, "config.json"), JSON.stringify(smallConfig));
  const tensors = smallTensors();
  const map: Record<string, unknown> = {};
  for (const [file, part] of [
    ["model-00001-of-00002.safetensors", tensors.slice(0, 9)],
    ["model-00002-of-00002.safetensors", tensors.slice(9)],
  ] as const) {
    await writeSafetensors(join(folder, file), part);
    for (const { name } of part) map[name] = file;
  }
  change(map);
  writeFileSync(
    join(folder, "model.safetensors.index.json"),
    JSON.stringify({ metadata: {}, weight_map: map }),
  );
  return folder;
}

describe("openCheckpoint", () => {
  it("opens a single file", async () => {
    const folder = await writeModel(directory());
    const { config, generationConfig, tensors, directory: opened } = await openCheckpoint(folder);
    expect(opened).toBe(folder);
    expect(config.hiddenSize).toBe(8);
    expect(generationConfig).toEqual({ bosTokenId: 3, eosTokenIds: [4], padTokenId: undefined });
    expect([...tensors.keys()]).toEqual([...expectedTensors(config).keys()]);
    for (const { name, data } of smallTensors()) {
      expect(Buffer.compare(await readTensor(tensors.get(name)!), data as Uint8Array)).toBe(0);
    }
  });

  it("opens shards, and prefers a single file to them", async () => {
    const folder = await sharded();
    expect((await openCheckpoint(folder)).tensors.get("lm_head.weight")!.file).toContain("00002-of-00002");
    await writeSafetensors(join(folder, "model.safetensors"), smallTensors());
    expect((await openCheckpoint(folder)).tensors.get("lm_head.weight")!.file).toContain("model.safetensors");
  });

  it("opens pytorch_model.bin when there is no safetensors file", async () => {
    const folder = directory();
    writeFileSync(join(folder, "config.json"), JSON.stringify(smallConfig));
    const storages: Record<string, Uint8Array> = {};
    const views: Record<string, Uint8Array> = {};
    for (const [key, { name, shape, data }] of smallTensors().entries()) {
      const bytes = data as Uint8Array;
      storages[key] = bytes;
      const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
      views[name] = make.tensor(make.storage(String(key), bytes.length / 4), 0, [...shape], strides);
    }
    const archive = make.makeZip(make.torchEntries(make.stateDict(views), storages));
    writeFileSync(join(folder, "pytorch_model.bin"), archive);
    const { tensors } = await openCheckpoint(folder);
    for (const { name, data } of smallTensors()) {
      expect(Buffer.compare(await readTensor(tensors.get(name)!), data as Uint8Array)).toBe(0);
    }
  });

  it("takes special tokens from generation_config.json alone where there is one, as transformers 5.18.0 does", async () => {
    const folder = await writeModel(directory());
    const read = async (json: unknown) => {
      writeFileSync(join(folder, "generation_config.json"), JSON.stringify(json));
      return (await openCheckpoint(folder)).generationConfig;
    };
    expect(await read({ eos_token_id: [9, 5] })).toEqual({
      bosTokenId: undefined,
      eosTokenIds: [9, 5],
      padTokenId: undefined,
    });
    expect((await read({}))!.eosTokenIds).toEqual([]);
    expect((await errorOf(read({ eos_token_id: "x" }))).message).toContain("generation_config.json");
  });

  it("ignores rotary frequencies", async () => {
    const inverse = { dtype: "int64", shape: [1], data: new Uint8Array(8) } as const;
    const names = ["model.layers.0.self_attn.rotary_emb.inv_freq", "rotary_emb.inv_freq"];
    const extra = names.map((name) => ({ ...inverse, name }));
    const folder = await writeModel(directory(), smallConfig, [...smallTensors(), ...extra]);
    expect((await openCheckpoint(folder)).tensors.size).toBe(20);
  });
});

describe("a tied head, as transformers 5.18.0 treats it", () => {
  const tied = { ...smallConfig, tie_word_embeddings: true };
  const both = smallTensors(); // of the untied config: embedding and head differ
  const [embedding] = both;
  const head = both.at(-1)!;

  it("needs no head", async () => {
    const { tensors, config } = await openCheckpoint(await writeModel(directory(), tied));
    expect(config.tieWordEmbeddings).toBe(true);
    expect(tensors.has("lm_head.weight")).toBe(false);
  });

  it("drops a head that equals the embedding", async () => {
    const equal = [...both.slice(0, -1), { ...head, data: embedding.data }];
    const { tensors, config } = await openCheckpoint(await writeModel(directory(), tied, equal));
    expect(config.tieWordEmbeddings).toBe(true);
    expect(tensors.size).toBe(19);
  });

  it("unties a head that differs", async () => {
    const { tensors, config } = await openCheckpoint(await writeModel(directory(), tied, both));
    expect(config.tieWordEmbeddings).toBe(false);
    expect(Buffer.compare(await readTensor(tensors.get("lm_head.weight")!), head.data as Uint8Array)).toBe(0);
  });

  it("takes the head for the embedding when only the head is there", async () => {
    const { tensors } = await openCheckpoint(await writeModel(directory(), tied, both.slice(1)));
    const found = tensors.get("model.embed_tokens.weight")!;
    expect(found.name).toBe("model.embed_tokens.weight");
    expect(Buffer.compare(await readTensor(found), head.data as Uint8Array)).toBe(0);
  });
});

describe("what is refused", () => {
  it("a path to nothing, to a file, without config, without weights", async () => {
    const folder = directory();
    const missing = await errorOf(openCheckpoint(join(folder, "absent")));
    expect([missing.code, missing.message]).toEqual([
      "CHECKPOINT_NOT_FOUND",
      expect.stringContaining("nothing at this path"),
    ]);
    const config = await errorOf(openCheckpoint(folder));
    expect([config.code, config.message]).toEqual(["CONFIG_MISSING", expect.stringContaining(folder)]);
    writeFileSync(join(folder, "config.json"), JSON.stringify(smallConfig));
    const weights = await errorOf(openCheckpoint(folder));
    expect([weights.code, weights.message]).toEqual([
      "WEIGHTS_MISSING",
      expect.stringContaining("pytorch_model.bin"),
    ]);
    const file = await errorOf(openCheckpoint(join(folder, "config.json")));
    expect([file.code, file.message]).toEqual([
      "CHECKPOINT_NOT_FOUND",
      expect.stringContaining("found a file"),
    ]);
  });

  it("a config that is no JSON or too large", async () => {
    const folder = await writeModel(directory());
    writeFileSync(join(folder, "config.json"), '{"hidden_size": NaN}');
    expect((await errorOf(openCheckpoint(folder))).code).toBe("CONFIG_INVALID");
    truncateSync(join(folder, "config.json"), 2 ** 31);
    expect((await errorOf(openCheckpoint(folder))).message).toContain("at most 1048576 bytes");
  });

  const edit = (change: (tensors: TensorToWrite[]) => TensorToWrite[]) => () =>
    writeModel(directory(), smallConfig, change(smallTensors()));
  const bytes = (length: number) => new Uint8Array(length);
  const cases: [string, () => Promise<string>, string, RegExp][] = [
    [
      "missing tensors",
      edit((all) => all.slice(7)),
      "TENSOR_MISSING",
      /7 tensors missing: "model.embed_tokens.weight", .*\.\.\. \(7 in all\)/,
    ],
    [
      "an extra tensor",
      edit((all) => [...all, { ...all[0], name: "lm_head.bias" }]),
      "TENSOR_UNEXPECTED",
      /1 tensor not expected: "lm_head.bias"/,
    ],
    [
      "tensors without their prefix",
      edit((all) => all.map((tensor) => ({ ...tensor, name: tensor.name.replace("model.", "") }))),
      "TENSOR_MISSING",
      /19 tensors missing.*19 tensors not expected: "embed_tokens.weight"/,
    ],
    [
      "a transposed weight",
      edit((all) => all.map((tensor) => (tensor.shape[1] === 12 ? { ...tensor, shape: [12, 8] } : tensor))),
      "TENSOR_SHAPE",
      /1 tensor .*dense_4h_to_h\.weight \[12,8\] for \[8,12\]/,
    ],
    [
      "a weight of another number format",
      edit((all) =>
        all.map((tensor) =>
          tensor.name === "model.final_layernorm.weight"
            ? { ...tensor, dtype: "int8", data: bytes(tensor.shape[0]) }
            : tensor,
        ),
      ),
      "TENSOR_DTYPE",
      /final_layernorm\.weight \(int8\)/,
    ],
    [
      "norms that the config rules out",
      () => writeModel(directory(), { ...smallConfig, qk_layernorm: false }, smallTensors()),
      "TENSOR_UNEXPECTED",
      /4 tensors not expected.*q_layernorm/,
    ],
    [
      "a file of the index missing",
      async () => {
        const folder = await sharded();
        rmSync(join(folder, "model-00002-of-00002.safetensors"));
        return folder;
      },
      "SHARD_MISSING",
      /1 file of 2 missing: "model-00002-of-00002.safetensors"/,
    ],
    [
      "a shard cut off",
      async () => {
        const folder = await sharded();
        truncateSync(join(folder, "model-00002-of-00002.safetensors"), 1500);
        return folder;
      },
      "CHECKPOINT_TRUNCATED",
      /00002-of-00002/,
    ],
    [
      "shards that changed places",
      async () => {
        const folder = await sharded();
        const [first, second] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
        renameSync(join(folder, first), join(folder, "x"));
        renameSync(join(folder, second), join(folder, first));
        renameSync(join(folder, "x"), join(folder, second));
        return folder;
      },
      "CHECKPOINT_INDEX_MISMATCH",
      /lacks 9 tensors.*has 11 tensors that the index does not/,
    ],
    [
      "a tensor that only the index knows",
      () =>
        sharded((map) => {
          map.ghost = "model-00001-of-00002.safetensors";
        }),
      "CHECKPOINT_INDEX_MISMATCH",
      /lacks 1 tensor that the index puts there: "ghost"/,
    ],
    [
      "a tensor that the index does not know",
      () =>
        sharded((map) => {
          delete map["lm_head.weight"];
        }),
      "CHECKPOINT_INDEX_MISMATCH",
      /1 tensor that the index does not: "lm_head.weight"/,
    ],
  ];
  it.each(cases)("%s", async (_title, prepare, code, message) => {
    const folder = await prepare();
    const error = await errorOf(openCheckpoint(folder));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.message).toContain(folder);
  });

  it("an index that leaves the directory, or is none", async () => {
    for (const file of [
      "../x.safetensors",
      "/etc/passwd",
      "a/b.safetensors",
      "..",
      "",
      "C:\\x",
      "a\0b",
      3,
      null,
    ]) {
      const folder = await sharded((map) => {
        map["lm_head.weight"] = file;
      });
      const error = await errorOf(openCheckpoint(folder));
      expect([file, error.code]).toEqual([file, "CHECKPOINT_INDEX_INVALID"]);
    }
    const folder = await sharded();
    for (const json of ["[]", "null", "{}", '{"weight_map":[]}', '{"weight_map":{}}', "{"]) {
      writeFileSync(join(folder, "model.safetensors.index.json"), json);
      expect((await errorOf(openCheckpoint(folder))).code).toBe("CHECKPOINT_INDEX_INVALID");
    }
  });
});

sharedOrSkip("reference", "checkpoint fixtures", (reference) => {
  it.each([
    ["tiny-f32", "float32", 68],
    ["tiny-bf16-sharded", "bfloat16", 68],
    ["tiny-bf16-bin", "bfloat16", 68],
    ["head64", "bfloat16", 36],
  ])("%s opens", async (name, dtype, count) => {
    const { tensors, generationConfig, config } = await openCheckpoint(join(reference, name));
    expect(tensors.size).toBe(count);
    expect(new Set([...tensors.values()].map((tensor) => tensor.dtype))).toEqual(new Set([dtype]));
    expect(generationConfig!.eosTokenIds).toEqual(config.eosTokenIds);
    const bytes = [...tensors.values()].reduce((sum, tensor) => sum + tensor.byteLength, 0);
    if (name.startsWith("tiny-bf16")) expect(bytes).toBe(531_712); // total_size of its index
  });

  it("tiny-bf16-bin holds the bits of tiny-bf16-sharded", async () => {
    const pickled = await openCheckpoint(join(reference, "tiny-bf16-bin"));
    const plain = await openCheckpoint(join(reference, "tiny-bf16-sharded"));
    expect([...pickled.tensors.keys()]).toEqual([...plain.tensors.keys()]);
    for (const [name, tensor] of plain.tensors) {
      expect(Buffer.compare(await readTensor(tensor), await readTensor(pickled.tensors.get(name)!))).toBe(0);
    }
  });

  it("a torch shard cut off anywhere is a coded error", async () => {
    const folder = directory();
    const source = join(reference, "tiny-bf16-bin");
    for (const file of readdirSync(source)) copyFileSync(join(source, file), join(folder, file));
    const shard = join(folder, "pytorch_model-00002-of-00002.bin");
    const whole = readFileSync(shard);
    for (let length = 0; length < whole.length; length += 9973) {
      rmSync(shard);
      writeFileSync(shard, whole.subarray(0, length));
      const error = await errorOf(openCheckpoint(folder));
      expect(error.code).toMatch(/^(ZIP_INVALID|CHECKPOINT_TRUNCATED)$/);
      expect(error.message).toContain(shard);
    }
  });
});
