// The node side of tokenizer_fuzz.py: reads one JSON request a line, writes one JSON answer a line.
//   {"text": "…"} -> {"ids": […], "decoded": "…"}      {"ids": […]} -> {"decoded": "…", "streamed": "…"}
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [directory, dist] = process.argv.slice(2);
if (directory === undefined || dist === undefined) {
  process.stderr.write("usage: node tokenizer_fuzz.mjs DIRECTORY-OF-TOKENIZER COMPILED-SRC-TOKENIZER\n");
  process.exit(2);
}
const { loadTokenizer } = await import(pathToFileURL(resolve(dist, "index.js")).href);
const tokenizer = await loadTokenizer(directory);

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.text !== undefined) {
    const ids = tokenizer.encode(request.text);
    process.stdout.write(`${JSON.stringify({ ids, decoded: tokenizer.decode(ids) })}\n`);
  } else {
    const stream = tokenizer.decodeStream();
    let streamed = "";
    for (const id of request.ids) streamed += stream.push(id);
    streamed += stream.end();
    process.stdout.write(`${JSON.stringify({ decoded: tokenizer.decode(request.ids), streamed })}\n`);
  }
}
