// Times the tokenizer on a synthetic vocabulary of Persimmon's size: 262,144 pieces.
//   node scripts/reference/tokenizer_speed.mjs [COMPILED-SRC-TOKENIZER, default dist/src/tokenizer]
// Prints seconds to load and MB/s of UTF-8 to encode and decode. Wanted: below 1 s and at least 1 MB/s.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const dist = resolve(process.argv[2] ?? join(here, "..", "..", "dist", "src", "tokenizer"));
const { loadTokenizer } = await import(pathToFileURL(join(dist, "index.js")).href);

const PIECES = 262144;
const UNUSED = 70000;

/** xorshift32: the same vocabulary and text on every machine. */
let state = 12345;
function random(below) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

function varint(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  bytes.push(value);
  return Buffer.from(bytes);
}

function field(number, payload) {
  return Buffer.concat([varint(number * 8 + 2), varint(payload.length), payload]);
}

function piece(text, score, type) {
  const float = Buffer.alloc(5);
  float[0] = 0x15;
  float.writeFloatLE(score, 1);
  return field(
    1,
    Buffer.concat([field(1, Buffer.from(text)), float, Buffer.from(type === 1 ? [] : [0x18, type])]),
  );
}

/** Pronounceable words, so that pieces share prefixes as real ones do. */
function word() {
  const consonants = "tnsrhldcmfpgwybvkxjqz";
  const vowels = "eaoiu";
  let text = "";
  for (let syllables = 1 + random(4); syllables > 0; syllables--) {
    text += consonants[Math.min(random(21), random(21))] + vowels[Math.min(random(5), random(5))];
    if (random(3) === 0) text += consonants[random(21)];
  }
  return text;
}

function syntheticModel() {
  const words = new Set();
  const add = (text) => words.add(text);
  for (const character of "▁etaoinsrhldcumfpgwybvkxjqzETAOINSRHLDCUMFPGWYBVKXJQZ0123456789.,;:!?()[]{}<>=+-*/\\'\"#_&|^~%@$`") {
    add(character);
  }
  for (let spaces = 2; spaces <= 32; spaces++) add("▁".repeat(spaces));
  const room = PIECES - 3 - UNUSED - 1 - 256;
  while (words.size < room) add((random(5) < 3 ? "▁" : "") + word());
  const parts = [piece("<unk>", 0, 2), piece("<s>", 0, 3), piece("</s>", 0, 3)];
  for (let index = 0; index < UNUSED; index++) parts.push(piece(`|UNUSED${index}|`, 0, 4));
  parts.push(piece("|ENDOFTEXT|", 0, 3));
  for (let byte = 0; byte < 256; byte++) {
    parts.push(piece(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`, 0, 6));
  }
  let rank = 0;
  for (const text of words) parts.push(piece(text, -4 - Math.log(1 + rank++), 1));
  parts.push(field(2, Buffer.from([0x18, 1, 0x98, 0x02, 1])));
  parts.push(field(3, Buffer.from([0x18, 1, 0x20, 0])));
  return { model: Buffer.concat(parts), words: [...words].map((text) => text.replaceAll("▁", "")) };
}

/** Runs and times: wall seconds, and the CPU seconds of this process, which other work on the machine does not stretch. */
async function timed(run) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const result = await run();
  const wall = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { result, wall, cpu: (user + system) / 1e6 };
}

async function report(what, text, tokenizer) {
  const bytes = Buffer.byteLength(text);
  const encode = await timed(() => tokenizer.encode(text));
  const decode = await timed(() => tokenizer.decode(encode.result));
  const rate = ({ wall, cpu }) =>
    `${(bytes / 1e6 / wall).toFixed(2)} MB/s (${(bytes / 1e6 / cpu).toFixed(2)} by CPU time)`;
  console.log(
    `${what}: ${(bytes / 1e6).toFixed(2)} MB, ${encode.result.length} tokens, encode ${rate(encode)}, ` +
      `decode ${rate(decode)}, round trip ${decode.result === text ? "equal" : "DIFFERENT"}`,
  );
}

const { model, words } = syntheticModel();
const directory = await mkdtemp(join(tmpdir(), "tokenizer-speed-"));
try {
  await writeFile(join(directory, "tokenizer.model"), model);
  for (const round of ["first load", "second load"]) {
    const { result, wall, cpu } = await timed(() => loadTokenizer(directory));
    console.log(
      `${round}: ${wall.toFixed(3)} s (${cpu.toFixed(3)} s of CPU) for ${result.vocabSize} pieces, ` +
        `${(model.length / 1e6).toFixed(1)} MB`,
    );
  }
  const tokenizer = await loadTokenizer(directory);
  const pick = () => words[Math.min(random(words.length), random(words.length))];
  let prose = "";
  while (prose.length < 2e6) prose += `${pick()} `;
  let code = "";
  while (code.length < 1e6) code += `${"    ".repeat(random(4))}${pick()}(${pick()}) = ${random(1000)};\n`;
  await report("prose, cold", prose.slice(0, 20000), tokenizer);
  await report("prose", prose, tokenizer);
  await report("code", code, tokenizer);
  await report("one word of 1 MB", prose.replaceAll(" ", "").slice(0, 1e6), tokenizer);
  await report("one letter a million times", "e".repeat(1e6), tokenizer);
  await report("a million spaces", " ".repeat(1e6), tokenizer);
  await report("no piece covers it", "日本語😀".repeat(60000), tokenizer);
  console.log(`peak memory of the process: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`);
} finally {
  await rm(directory, { recursive: true });
}
