import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Checkpoint } from "../../../src/checkpoint/index.js";
import { readTensor } from "../../../src/checkpoint/index.js";
import * as make from "../torch_bin/archive.js";

/** A bfloat16 tensor of a checkpoint as Megatron calls it. */
export interface MegatronTensor {
  name: string;
  shape: number[];
  data: Uint8Array;
}

/** The tensors of a checkpoint in Hugging Face format, under Megatron's names (the table of the published converter, backwards). */
export async function megatronTensors(checkpoint: Checkpoint): Promise<MegatronTensor[]> {
  const tensors: MegatronTensor[] = [];
  for (const tensor of checkpoint.tensors.values()) {
    tensors.push({ name: megatronName(tensor.name), shape: tensor.shape, data: await readTensor(tensor) });
  }
  return tensors;
}

export function megatronName(name: string): string {
  return name
    .replace(/^model\.embed_tokens/, "language_model.embedding.word_embeddings")
    .replace(/^lm_head/, "word_embeddings_for_head")
    .replace(/^model\./, "language_model.encoder.")
    .replace(".self_attn.", ".self_attention.");
}

/** The part of a tensor that rank `rank` of `ranks` has. */
export function shard(tensor: MegatronTensor, rank: number, ranks: number): MegatronTensor {
  const { name, shape, data } = tensor;
  const last = name.split(".").slice(-2).join(".");
  const byRows = ["word_embeddings.weight", "word_embeddings_for_head.weight", "query_key_value.weight"];
  byRows.push("query_key_value.bias", "dense_h_to_4h.weight", "dense_h_to_4h.bias");
  const byColumns = ["dense.weight", "dense_4h_to_h.weight"];
  if (byRows.includes(last)) {
    const bytes = data.byteLength / ranks;
    return {
      name,
      shape: [shape[0] / ranks, ...shape.slice(1)],
      data: data.slice(rank * bytes, (rank + 1) * bytes),
    };
  }
  if (!byColumns.includes(last)) return tensor;
  const [rows, columns] = shape;
  const width = (2 * columns) / ranks;
  const parts = Array.from({ length: rows }, (_, row) =>
    data.subarray(2 * columns * row + rank * width, 2 * columns * row + (rank + 1) * width),
  );
  return { name, shape: [rows, columns / ranks], data: Buffer.concat(parts) };
}

type Plain = string | number | boolean | null;

/** The arguments of tiny-megatron-release. */
export const tinyArgs: Record<string, Plain> = {
  num_layers: 4,
  hidden_size: 64,
  ffn_hidden_size: 256,
  num_attention_heads: 4,
  kv_channels: 16,
  max_position_embeddings: 2048,
  padded_vocab_size: 512,
  pos_emb: "rotary",
  rotary_pct: 0.5,
  rotary_emb_base: 25000,
  qk_layernorm: "weights_per_layer",
  untie_embeddings: true,
  sq_relu: true,
  bf16: true,
  layernorm_epsilon: 1e-5,
};

const double = (value: number) => {
  const bytes = Buffer.alloc(9, "G");
  bytes.writeDoubleBE(value, 1);
  return bytes;
};

export function plain(value: Plain): Uint8Array {
  if (typeof value === "string") return make.text(value);
  if (typeof value === "number") return Number.isInteger(value) ? make.integer(value) : double(value);
  return make.bytes(value === null ? "N" : value ? "\x88" : "\x89");
}

export function dictionary(entries: [string, Uint8Array][]): Buffer {
  return make.bytes("}(", ...entries.flatMap(([name, value]) => [make.text(name), value]), "u");
}

/** `argparse.Namespace(**args)`, as protocol 2 writes it. */
export function namespace(args: Record<string, Plain>, more: [string, Uint8Array][] = []): Buffer {
  const entries = Object.entries(args).map(([name, value]): [string, Uint8Array] => [name, plain(value)]);
  return make.bytes(make.global("argparse", "Namespace"), ")\x81", dictionary([...entries, ...more]), "b");
}

export interface MegatronFile {
  args?: Uint8Array;
  version?: number;
  /** More entries of the top dictionary. */
  more?: [string, Uint8Array][];
}

/** A `model_optim_rng.pt`. */
export function megatronFile(tensors: MegatronTensor[], options: MegatronFile = {}): Buffer {
  return megatronArchive(megatronPickle(tensors, options), tensors);
}

export function megatronArchive(pickle: Uint8Array, tensors: MegatronTensor[]): Buffer {
  const storages = Object.fromEntries(tensors.map(({ data }, index) => [String(index), data]));
  return make.makeZip(make.torchEntries(pickle, storages));
}

export function megatronPickle(tensors: MegatronTensor[], options: MegatronFile = {}): Buffer {
  const strides = (shape: number[]) => shape.map((_, at) => shape.slice(at + 1).reduce((a, b) => a * b, 1));
  const value = ({ shape }: MegatronTensor, index: number) => {
    const count = shape.reduce((a, b) => a * b, 1);
    return make.tensor(make.storage(String(index), count, "BFloat16Storage"), 0, shape, strides(shape));
  };
  const values = tensors.map((tensor, index) => ({ name: tensor.name, value: value(tensor, index) }));
  const starting = (prefix: string) =>
    values
      .filter(({ name }) => name.startsWith(prefix))
      .map(({ name, value }): [string, Uint8Array] => [name.slice(prefix.length), value]);
  const model = dictionary([
    [
      "language_model",
      dictionary([
        [
          "embedding",
          dictionary([
            ["word_embeddings", dictionary(starting("language_model.embedding.word_embeddings."))],
          ]),
        ],
        ["encoder", dictionary(starting("language_model.encoder."))],
      ]),
    ],
    ["word_embeddings_for_head", dictionary(starting("word_embeddings_for_head."))],
  ]);
  return make.bytes(
    "\x80\x02",
    dictionary([
      ["args", options.args ?? namespace(tinyArgs)],
      ["checkpoint_version", double(options.version ?? 3)],
      ["iteration", make.integer(1)],
      ["model", model],
      ...(options.more ?? []),
    ]),
    ".",
  );
}

/** Writes a release folder with the given files of ranks, by the name of their folders. */
export function writeRelease(folder: string, ranks: Record<string, Uint8Array>, iteration = "7"): string {
  writeFileSync(join(folder, "latest_checkpointed_iteration.txt"), iteration);
  for (const [name, bytes] of Object.entries(ranks)) {
    const path = join(
      folder,
      iteration === "release" ? iteration : `iter_${iteration.padStart(7, "0")}`,
      name,
    );
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "model_optim_rng.pt"), bytes);
  }
  return folder;
}
