import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { openCheckpoint, readTensor } from "../../../src/checkpoint/index.js";
import { loadModel } from "../../../src/load_model.js";
import { loadTokenizer } from "../../../src/tokenizer/index.js";
import { sharedOrSkip } from "../../support/shared.js";
import { errorOf, temporaryDirectories } from "../support.js";
import * as make from "../torch_bin/archive.js";
import {
  dictionary,
  type MegatronTensor,
  megatronFile,
  megatronTensors,
  namespace,
  shard,
  tinyArgs,
  writeRelease,
} from "./megatron.js";
import { makeTar } from "./tar_file.js";

const directory = temporaryDirectories();

/** All bytes of all weights, by name. */
async function bytesOf(path: string): Promise<Map<string, string>> {
  const bytes = new Map<string, string>();
  for (const tensor of (await openCheckpoint(path)).tensors.values()) {
    bytes.set(
      tensor.name,
      `${tensor.dtype} ${tensor.shape} ${Buffer.from(await readTensor(tensor)).toString("hex")}`,
    );
  }
  return bytes;
}

sharedOrSkip("reference", "Adept's release", (reference) => {
  const release = join(reference, "tiny-megatron-release");
  const converted = join(reference, "tiny-bf16-sharded");
  const prompt = [5, 300, 17, 42, 511];

  function tarOf(folder: string): string {
    const path = join(directory(), "8b_tiny_model_release.tar");
    const made = spawnSync("tar", ["-cf", path, "-C", join(folder, ".."), "./tiny-megatron-release"]);
    expect(made.status).toBe(0);
    return path;
  }

  it("has the weights and the logits of the converted checkpoint to the last bit, as a folder and as a tar", async () => {
    const wanted = await bytesOf(converted);
    const logits = (await (await loadModel(converted)).logits(prompt)).data;
    for (const path of [release, tarOf(release)]) {
      expect(await bytesOf(path)).toEqual(wanted);
      const model = await loadModel(path);
      expect((await model.logits(prompt)).data).toEqual(logits);
      expect(model.tokenizer.encode("human: hi")).toEqual((await loadTokenizer(release)).encode("human: hi"));
      expect(model.eosTokenIds).toEqual([model.tokenizer.encode("", { bos: true })[0]]);
    }
  });

  it("has the config of the converted checkpoint, but for ids and names of types", async () => {
    const { config } = await openCheckpoint(release);
    const { bosTokenId: _, eosTokenIds: __, ...same } = (await openCheckpoint(converted)).config;
    expect(config).toMatchObject(same);
    expect([config.bosTokenId, config.eosTokenIds]).toEqual([undefined, []]);
  });

  const split = async (ranks: number, change?: (tensor: MegatronTensor, rank: number) => MegatronTensor) => {
    const tensors = await megatronTensors(await openCheckpoint(converted));
    const files = Array.from({ length: ranks }, (_, rank) => {
      const parts = tensors.map((tensor) => shard(tensor, rank, ranks));
      const changed = change === undefined ? parts : parts.map((part) => change(part, rank));
      return [`mp_rank_${String(rank).padStart(2, "0")}`, megatronFile(changed)];
    });
    return writeRelease(directory(), Object.fromEntries(files));
  };

  it.each([1, 2, 4])("puts %i tensor-parallel ranks together, bit for bit", async (ranks) => {
    const path = await split(ranks);
    expect(await bytesOf(path)).toEqual(await bytesOf(converted));
    const [whole, merged] = [await loadModel(converted), await loadModel(path)];
    expect((await merged.logits(prompt)).data).toEqual((await whole.logits(prompt)).data);
  });

  it("reads ranks out of a tar, and an iteration called release", async () => {
    const tensors = await megatronTensors(await openCheckpoint(converted));
    const member = (rank: number) => ({
      name: `x/release/mp_rank_0${rank}/model_optim_rng.pt`,
      data: megatronFile(tensors.map((tensor) => shard(tensor, rank, 2))),
    });
    const path = join(directory(), "x.TAR");
    const tracker = { name: "x/latest_checkpointed_iteration.txt", data: Buffer.from("release\n") };
    writeFileSync(path, makeTar([tracker, member(1), member(0)]));
    expect(await bytesOf(path)).toEqual(await bytesOf(converted));
  });

  it("refuses ranks that are not of one checkpoint", async () => {
    const changed = (name: RegExp, change: (tensor: MegatronTensor) => MegatronTensor) =>
      split(2, (tensor, rank) => (rank === 1 && name.test(tensor.name) ? change(tensor) : tensor));
    const flipped = (tensor: MegatronTensor) => {
      const data = Uint8Array.from(tensor.data);
      data[data.length - 1] ^= 1;
      return { ...tensor, data };
    };
    const shorter = (tensor: MegatronTensor) => ({
      ...tensor,
      shape: [tensor.shape[0] / 2, tensor.shape[1]],
      data: tensor.data.subarray(0, tensor.data.length / 2),
    });
    for (const [path, message] of [
      [await changed(/layers\.2\.self_attention\.dense\.bias/, flipped), /layers\.2\.self_attn\.dense\.bias/],
      [await changed(/layers\.3\.self_attention\.q_layernorm\.weight/, flipped), /q_layernorm\.weight/],
      [await changed(/layers\.0\.mlp\.dense_4h_to_h\.weight/, shorter), /\[64,128\].*\[32,128\]/],
      [
        await changed(/layers\.0\.mlp\.dense_4h_to_h\.bias/, (t) => ({ ...t, name: `${t.name}.x` })),
        /different tensors/,
      ],
    ] as [string, RegExp][]) {
      const error = await errorOf(openCheckpoint(path));
      expect([error.code, error.message]).toEqual(["RELEASE_RANKS_DIFFER", expect.stringMatching(message)]);
    }
  });

  const whole = async () => megatronTensors(await openCheckpoint(converted));

  it("drops rotary frequencies and accepts enums, numpy and random states as data", async () => {
    const tensors = await whole();
    const frequencies = {
      name: "language_model.encoder.layers.0.self_attention.rotary_emb.inv_freq",
      shape: [4],
    };
    const array = make.bytes(
      make.global("numpy.core.multiarray", "_reconstruct"),
      make.tuple(make.global("numpy", "ndarray"), make.tuple("K\x00"), make.text("b")),
      "R",
      make.tuple("K\x01", make.tuple("K\x02"), make.global("numpy", "dtype"), "\x89", make.text("ab")),
      "b",
    );
    const kind = make.bytes(make.global("megatron.model.enums", "ModelType"), make.tuple("K\x01"), "R");
    const bytes = megatronFile([...tensors, { ...frequencies, data: new Uint8Array(8) }], {
      args: namespace(tinyArgs, [
        ["model_type", kind],
        ["params_dtype", Buffer.from(make.global("torch", "bfloat16"))],
      ]),
      more: [["rng_state", make.bytes("](", dictionary([["np_rng_state", array]]), "e")]],
    });
    expect(await bytesOf(writeRelease(directory(), { mp_rank_00: bytes }))).toEqual(await bytesOf(converted));
  });

  it("lists what a pickle contained that it refuses", async () => {
    const call = make.bytes(make.global("posix", "system"), make.tuple(make.text("true")), "R");
    const more: [string, Uint8Array][] = [
      ["a", call],
      ["b", Buffer.from(make.global("builtins", "eval"))],
    ];
    const path = writeRelease(directory(), { mp_rank_00: megatronFile(await whole(), { more }) });
    const error = await errorOf(openCheckpoint(path));
    expect(error.code).toBe("PICKLE_REFUSED");
    for (const name of ["argparse.Namespace", "torch.BFloat16Storage", "posix.system", "builtins.eval"]) {
      expect(error.message).toContain(`"${name}"`);
    }
  });

  it.each<[string, string, Record<string, string | number | boolean | null>, RegExp]>([
    ["an MLP of another kind", "CONFIG_UNSUPPORTED", { sq_relu: null }, /sq_relu/],
    ["positions of another kind", "CONFIG_UNSUPPORTED", { pos_emb: "learned" }, /rotary.*learned/],
    [
      "norms of each head",
      "CONFIG_UNSUPPORTED",
      { qk_layernorm: "weights_per_attention_head_and_layer" },
      /qk_layernorm/,
    ],
    ["heads of another width", "CONFIG_UNSUPPORTED", { kv_channels: 32 }, /kv_channels must be null or 16/],
    [
      "norms after the residual",
      "CONFIG_UNSUPPORTED",
      { apply_residual_connection_post_layernorm: true },
      /residual/,
    ],
    ["a size that is text", "CONFIG_INVALID", { ffn_hidden_size: "many" }, /intermediate_size/],
    ["more ranks", "SHARD_MISSING", { tensor_model_parallel_size: 8 }, /is 8, but found 1/],
    [
      "more stages",
      "RELEASE_UNSUPPORTED",
      { pipeline_model_parallel_size: 2 },
      /pipeline_model_parallel_size/,
    ],
    ["other layers", "TENSOR_MISSING", { num_layers: 5 }, /layers\.4/],
  ])("refuses %s", async (_, code, changes, message) => {
    const args = namespace({ ...tinyArgs, ...changes });
    const path = writeRelease(directory(), { mp_rank_00: megatronFile(await whole(), { args }) });
    const error = await errorOf(openCheckpoint(path));
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(message)]);
  });

  it("refuses a file without the arguments that it needs, or of an old version", async () => {
    const { num_layers: _, ...fewer } = tinyArgs;
    const { sq_relu: __, ...other } = tinyArgs;
    for (const [options, code, message] of [
      [{ args: namespace(fewer) }, "CONFIG_INVALID", /num_layers/],
      [{ args: namespace(other) }, "CONFIG_INVALID", /sq_relu/],
      [{ args: make.text("args") }, "PICKLE_INVALID", /Namespace/],
      [{ version: 1 }, "CONFIG_UNSUPPORTED", /checkpoint_version/],
    ] as const) {
      const path = writeRelease(directory(), { mp_rank_00: megatronFile(await whole(), options) });
      const error = await errorOf(openCheckpoint(path));
      expect([error.code, error.message]).toEqual([code, expect.stringMatching(message)]);
    }
  });

  it("says which folders it misses, and what it does not merge", async () => {
    const bytes = megatronFile(await whole());
    for (const [ranks, code, message] of [
      [{}, "SHARD_MISSING", /mp_rank_00/],
      [{ mp_rank_00: bytes, mp_rank_02: bytes }, "SHARD_MISSING", /mp_rank_01/],
      [{ mp_rank_00_000: bytes, mp_rank_00_001: bytes }, "RELEASE_UNSUPPORTED", /mp_rank_00_001.*pipeline/],
      [{ mp_rank_00: bytes, mp_rank_00_000: bytes }, "RELEASE_INVALID", /rank 0/],
    ] as [Record<string, Uint8Array>, string, RegExp][]) {
      const error = await errorOf(openCheckpoint(writeRelease(directory(), ranks)));
      expect([error.code, error.message]).toEqual([code, expect.stringMatching(message)]);
    }
    expect((await bytesOf(writeRelease(directory(), { mp_rank_00_000: bytes }))).size).toBeGreaterThan(0);
  });

  it("refuses trackers, archives and files that are none", async () => {
    const folder = writeRelease(directory(), {});
    writeFileSync(join(folder, "latest_checkpointed_iteration.txt"), "soon");
    expect((await errorOf(openCheckpoint(folder))).message).toContain('found "soon"');
    const place = directory();
    writeFileSync(join(place, "a.tar"), makeTar([{ name: "x", data: Buffer.from("x") }]));
    expect((await errorOf(openCheckpoint(join(place, "a.tar")))).code).toBe("RELEASE_INVALID");
    writeFileSync(join(place, "a.tar.gz"), gzipSync(readFileSync(join(place, "a.tar"))));
    const compressed = await errorOf(loadModel(join(place, "a.tar.gz")));
    expect([compressed.code, compressed.message]).toEqual([
      "TAR_UNSUPPORTED",
      expect.stringMatching(/gunzip/),
    ]);
    copyFileSync(join(converted, "config.json"), join(place, "config.json"));
    expect((await errorOf(openCheckpoint(join(place, "config.json")))).code).toBe("CHECKPOINT_NOT_FOUND");
  });
});

describe("a release without ../shared", () => {
  it("is refused where its file is no torch archive", async () => {
    const path = writeRelease(directory(), {
      mp_rank_00: Buffer.from("nothing of the kind, but long enough"),
    });
    expect((await errorOf(openCheckpoint(path))).code).toBe("ZIP_INVALID");
  });
});
