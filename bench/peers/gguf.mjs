// Writes a GGUF file of llama.cpp's `nemotron` architecture with random weights: LayerNorm, squared ReLU, half the head
// rotated, biases; all that Persimmon computes but QK-LayerNorm. Format: the GGUF specification in ggml's docs/gguf.md.

import { once } from "node:events";
import { createWriteStream } from "node:fs";

const ALIGNMENT = 32;
const VALUE = { uint32: 4, int32: 5, float32: 6, string: 8, array: 9 };
/** Type number, and bytes of a block of `elements` numbers. */
const TYPES = {
  float32: { number: 0, elements: 1, bytes: 4 },
  q4_0: { number: 2, elements: 32, bytes: 18 },
  q8_0: { number: 8, elements: 32, bytes: 34 },
  bfloat16: { number: 30, elements: 1, bytes: 2 },
};
const FILE_TYPES = { q4_0: 2, q8_0: 7, bfloat16: 32 };

/** Little-endian bytes, appended piece by piece. */
class Bytes {
  parts = [];
  length = 0;

  add(buffer) {
    this.parts.push(buffer);
    this.length += buffer.length;
  }
  uint32(value) {
    const buffer = Buffer.alloc(4);
    buffer.writeUInt32LE(value);
    this.add(buffer);
  }
  int32(value) {
    this.uint32(value); // none is negative
  }
  uint64(value) {
    const buffer = Buffer.alloc(8);
    buffer.writeBigUInt64LE(BigInt(value));
    this.add(buffer);
  }
  float32(value) {
    const buffer = Buffer.alloc(4);
    buffer.writeFloatLE(value);
    this.add(buffer);
  }
  string(value) {
    const text = Buffer.from(value);
    this.uint64(text.length);
    this.add(text);
  }
  pair(name, type, value) {
    this.string(name);
    this.uint32(VALUE[type]);
    this[type](value);
  }
  list(name, type, values) {
    this.string(name);
    this.uint32(VALUE.array);
    this.uint32(VALUE[type]);
    this.uint64(values.length);
    for (const value of values) this[type](value);
  }
  concat() {
    return Buffer.concat(this.parts);
  }
}

const bytesOf = ({ type, shape }) =>
  (shape.reduce((product, size) => product * size, 1) / TYPES[type].elements) * TYPES[type].bytes;
const padded = (length) => Math.ceil(length / ALIGNMENT) * ALIGNMENT;

/** Names and shapes, the fastest axis first, as GGUF has them. */
function tensorsOf({ hidden, layers, ffn, vocab }, type) {
  const matrix = (name, inputs, outputs) => [
    { name: `${name}.weight`, type, shape: [inputs, outputs] },
    { name: `${name}.bias`, type: "float32", shape: [outputs] },
  ];
  const norm = (name) => [
    { name: `${name}.weight`, type: "float32", shape: [hidden], value: 1 },
    { name: `${name}.bias`, type: "float32", shape: [hidden] },
  ];
  const layer = (n) => [
    ...norm(`blk.${n}.attn_norm`),
    ...matrix(`blk.${n}.attn_q`, hidden, hidden),
    ...matrix(`blk.${n}.attn_k`, hidden, hidden),
    ...matrix(`blk.${n}.attn_v`, hidden, hidden),
    ...matrix(`blk.${n}.attn_output`, hidden, hidden),
    ...norm(`blk.${n}.ffn_norm`),
    ...matrix(`blk.${n}.ffn_up`, hidden, ffn),
    ...matrix(`blk.${n}.ffn_down`, ffn, hidden),
  ];
  return [
    { name: "token_embd.weight", type, shape: [hidden, vocab] },
    ...Array.from({ length: layers }, (_, n) => layer(n)).flat(),
    ...norm("output_norm"),
    { name: "output.weight", type, shape: [hidden, vocab] },
  ];
}

function metadata(bytes, { hidden, layers, heads, ffn, vocab }, type) {
  const pairs = [
    ["general.architecture", "string", "nemotron"],
    ["general.name", "string", "random weights"],
    ["general.file_type", "uint32", FILE_TYPES[type]],
    ["nemotron.block_count", "uint32", layers],
    ["nemotron.context_length", "uint32", 16384],
    ["nemotron.embedding_length", "uint32", hidden],
    ["nemotron.feed_forward_length", "uint32", ffn],
    ["nemotron.attention.head_count", "uint32", heads],
    ["nemotron.attention.head_count_kv", "uint32", heads],
    ["nemotron.attention.layer_norm_epsilon", "float32", 1e-5],
    ["nemotron.rope.dimension_count", "uint32", hidden / heads / 2],
    ["nemotron.rope.freq_base", "float32", 25000],
    ["nemotron.vocab_size", "uint32", vocab],
    ["tokenizer.ggml.model", "string", "llama"],
    ["tokenizer.ggml.bos_token_id", "uint32", 1],
    ["tokenizer.ggml.eos_token_id", "uint32", 2],
    ["tokenizer.ggml.unknown_token_id", "uint32", 0],
  ];
  const hex = (n) => `<0x${n.toString(16).toUpperCase().padStart(2, "0")}>`;
  const names = Array.from({ length: vocab }, (_, n) =>
    n < 3 ? ["<unk>", "<s>", "</s>"][n] : n < 259 ? hex(n - 3) : `word${n}`,
  );
  // 1 normal, 2 unknown, 3 control, 6 byte
  const kinds = names.map((_, n) => (n === 0 ? 2 : n < 3 ? 3 : n < 259 ? 6 : 1));
  bytes.uint64(pairs.length + 3);
  for (const [name, kind, value] of pairs) bytes.pair(name, kind, value);
  bytes.list("tokenizer.ggml.tokens", "string", names);
  bytes.list(
    "tokenizer.ggml.scores",
    "float32",
    names.map((_, n) => -n),
  );
  bytes.list("tokenizer.ggml.token_type", "int32", kinds);
}

/** A block of numbers of a type, about 0.02 in size; weights are many copies of it, which makes no difference to a CPU. */
function randomBlock(type) {
  const block = Buffer.alloc(TYPES[type].bytes * 65536);
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  if (type === "bfloat16") {
    const word = Buffer.alloc(4);
    for (let i = 0; i < block.length; i += 2) {
      word.writeFloatLE(0.04 * (random() + random() - 1));
      word.copy(block, i, 2);
    }
    return block;
  }
  for (let i = 0; i < block.length; i++) block[i] = random() * 256;
  // Each block begins with a float16 scale: 2^-9 for numbers to 8, 2^-12 for numbers to 127.
  for (let i = 0; i < block.length; i += TYPES[type].bytes)
    block.writeUInt16LE(type === "q4_0" ? 0x1800 : 0x0c00, i);
  return block;
}

/**
 * @param shape { hidden, layers, heads, ffn, vocab }
 * @param type "bfloat16", "q8_0" or "q4_0", of all matrices
 */
export async function writeRandomGguf(path, shape, type) {
  const tensors = tensorsOf(shape, type);
  const header = new Bytes();
  header.add(Buffer.from("GGUF"));
  header.uint32(3);
  header.uint64(tensors.length);
  metadata(header, shape, type);
  let offset = 0;
  for (const tensor of tensors) {
    header.string(tensor.name);
    header.uint32(tensor.shape.length);
    for (const size of tensor.shape) header.uint64(size);
    header.uint32(TYPES[tensor.type].number);
    header.uint64(offset);
    offset += padded(bytesOf(tensor));
  }
  const file = createWriteStream(path);
  const write = async (buffer) => {
    if (!file.write(buffer)) await once(file, "drain");
  };
  await write(header.concat());
  await write(Buffer.alloc(padded(header.length) - header.length));
  const block = randomBlock(type);
  for (const tensor of tensors) {
    const length = bytesOf(tensor);
    if (tensor.type === "float32") {
      await write(Buffer.from(new Float32Array(length / 4).fill(tensor.value ?? 0).buffer));
    } else {
      for (let at = 0; at < length; at += block.length)
        await write(block.subarray(0, Math.min(block.length, length - at)));
    }
    await write(Buffer.alloc(padded(length) - length));
  }
  file.end();
  await once(file, "finish");
  return { bytes: offset };
}
