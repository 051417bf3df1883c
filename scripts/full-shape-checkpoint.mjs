/**
 * Writes a checkpoint of Persimmon-8B's full shape in the hub's own layout, with random weights from a seed: two zip64 `.bin` shards of
 * 9.93 and 8.86 GB, index, config with its stale keys, tokenizer. With `--scale 16` about a sixteenth of that:
 *
 *     node scripts/full-shape-checkpoint.mjs FOLDER [--scale 16] [--seed 1]
 *
 * The rows of ids 3 to 70002, which no text has, are near-constant, as they are said to be in the real model.
 */
import { mkdirSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./bootstrap/paths.mjs";
import { hiddenSizeFor, hubConfig, tensorsOf, UNUSED } from "./full-shape/shape.mjs";
import { writeTorchArchive } from "./full-shape/torch_archive.mjs";
import { fullVocabulary } from "./full-shape/vocabulary.mjs";

const { native, nativeDType } = await import(join(root, "dist", "src", "native.js"));
const { Device } = await import(join(root, "dist", "src", "tensor", "device.js"));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { scale: { type: "string", default: "1" }, seed: { type: "string", default: "1" } },
});
const [folder] = positionals;
const [scale, seed] = [Number(values.scale), Number(values.seed)];
if (folder === undefined || !(scale >= 1) || !Number.isInteger(seed)) {
  process.stderr.write("usage: node scripts/full-shape-checkpoint.mjs FOLDER [--scale N] [--seed N]\n");
  process.exit(2);
}

// 16 MB of bfloat16.
const BLOCK_ELEMENTS = 2 ** 23;
// The hub's shards were cut at 10 GB.
const LARGEST_SHARD = 10e9;

const { stream } = Device.cpu();
const hidden = hiddenSizeFor(scale);
const tensors = tensorsOf(hidden);
const bytesOf = (/** @type {number[]} */ shape) => 2 * shape.reduce((product, size) => product * size, 1);
const total = tensors.reduce((sum, { shape }) => sum + bytesOf(shape), 0);

mkdirSync(folder, { recursive: true });
const { bavail, bsize } = statfsSync(folder);
if (bavail * bsize < total * 1.01) {
  process.stderr.write(
    `${folder}: ${(total / 1e9).toFixed(1)} GB are needed, ${((bavail * bsize) / 1e9).toFixed(1)} are free\n`,
  );
  process.exit(1);
}

/** @param {string} name @param {number[]} shape @param {number} index */
async function* blocksOf(name, shape, index) {
  const count = bytesOf(shape) / 2;
  const isMatrix = shape.length === 2;
  const mean = name.endsWith("norm.weight") ? 1 : 0;
  const deviation = isMatrix && !name.includes("embed") ? 1 / Math.sqrt(shape[1]) : 0.02;
  /** @type {Buffer | undefined} */
  let constant;
  for (let first = 0; first < count; first += BLOCK_ELEMENTS) {
    const length = Math.min(BLOCK_ELEMENTS, count - first);
    const buffer = stream.allocate(2 * length, nativeDType.bfloat16);
    native().fillNormal(stream, buffer, length, mean, deviation, 1000 * seed + index, first);
    const bytes = Buffer.from(await stream.read(buffer, 0, 2 * length));
    buffer.release();
    if (name === "model.embed_tokens.weight" || name === "lm_head.weight") {
      const rowBytes = 2 * shape[1];
      constant ??= Buffer.from(bytes.subarray(UNUSED[0] * rowBytes, (UNUSED[0] + 1) * rowBytes));
      const start = Math.max(UNUSED[0] * rowBytes - 2 * first, 0);
      const end = Math.min(UNUSED[1] * rowBytes - 2 * first, bytes.length);
      // Blocks need not begin with a row.
      const phase = (2 * first + start) % rowBytes;
      if (start < end)
        bytes.fill(Buffer.concat([constant.subarray(phase), constant.subarray(0, phase)]), start, end);
    }
    yield bytes;
  }
}

/** @type {{ name: string, shape: number[], blocks: () => AsyncIterable<Uint8Array> }[][]} */
const shards = [[]];
let filled = 0;
for (const [index, { name, shape }] of tensors.entries()) {
  const bytes = bytesOf(shape);
  if (filled + bytes > (LARGEST_SHARD * total) / 18_794_350_592) {
    shards.push([]);
    filled = 0;
  }
  filled += bytes;
  shards[shards.length - 1].push({ name, shape, blocks: () => blocksOf(name, shape, index) });
}

/** @type {Record<string, string>} */
const weightMap = {};
for (const [index, shard] of shards.entries()) {
  const number = (/** @type {number} */ n) => String(n).padStart(5, "0");
  const file = `pytorch_model-${number(index + 1)}-of-${number(shards.length)}.bin`;
  for (const { name } of shard) weightMap[name] = file;
  const bytes = shard.reduce((sum, { shape }) => sum + bytesOf(shape), 0);
  process.stderr.write(`${file}: ${shard.length} tensors, ${(bytes / 1e9).toFixed(2)} GB\n`);
  await writeTorchArchive(join(folder, file), shard, { zip64: scale > 1 });
}

const json = (/** @type {string} */ name, /** @type {object} */ value) =>
  writeFileSync(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
const config = hubConfig(hidden);
const { bos_token_id, eos_token_id } = config;
json("pytorch_model.bin.index.json", { metadata: { total_size: total }, weight_map: weightMap });
json("config.json", config);
json("generation_config.json", { _from_model_config: true, bos_token_id, eos_token_id });
json("tokenizer_config.json", {
  add_bos_token: true,
  add_eos_token: false,
  bos_token: "|ENDOFTEXT|",
  eos_token: null,
  tokenizer_class: "LlamaTokenizer",
  unk_token: "<unk>",
});
json("special_tokens_map.json", { bos_token: "|ENDOFTEXT|", unk_token: "<unk>" });
writeFileSync(join(folder, "tokenizer.model"), fullVocabulary());
process.stdout.write(
  `${folder}: hidden ${hidden}, ${tensors.length} tensors, ${(total / 1e9).toFixed(2)} GB in ${shards.length} shards\n`,
);
