import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { fileHash } from "../../../src/evals/run/file_hash.js";
import { failureOf } from "../../support/codes.js";
import { temporaryDirectory } from "../../support/tiny_checkpoint.js";

const root = temporaryDirectory();
let count = 0;
const { signal } = new AbortController();
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
/** Old enough to be kept. */
const old = new Date(Date.now() - 3_600_000);

function write(file: string, text: string): void {
  writeFileSync(file, text);
  utimesSync(file, old, old);
}

function place(): { file: string; directory: string; hash: () => Promise<string>; entry: () => string } {
  const folder = join(root, String(count++));
  mkdirSync(folder);
  const [file, directory] = [join(folder, "weights"), join(folder, "cache", "deep")];
  write(file, "one");
  return {
    file,
    directory,
    hash: () => fileHash(file, signal, { directory, least: 0 }),
    entry: () => join(directory, readdirSync(directory)[0]),
  };
}

it("is kept: the second time the file is not read", async () => {
  const { hash, entry } = place();
  expect(await hash()).toBe(sha256("one"));
  const known = JSON.parse(readFileSync(entry(), "utf8"));
  expect(known).toMatchObject({ size: "3", sha256: sha256("one") });
  // Only what was kept can say this.
  writeFileSync(entry(), JSON.stringify({ ...known, sha256: sha256("kept") }));
  expect(await hash()).toBe(sha256("kept"));
});

it.each([
  ["of another length", (file: string) => write(file, "three")],
  ["of the same length and time", (file: string) => write(file, "two")],
  [
    "put in its place",
    (file: string) => {
      write(`${file}.new`, "two");
      renameSync(`${file}.new`, file);
    },
  ],
])("another content %s is hashed again", async (_, change) => {
  const { file, hash } = place();
  await hash();
  change(file);
  expect(await hash()).toBe(sha256(readFileSync(file, "utf8")));
  expect(await hash()).not.toBe(sha256("one"));
});

it("a copy is another file, and a link the same", async () => {
  const { file, directory, hash } = place();
  await hash();
  copyFileSync(file, `${file}-copy`);
  utimesSync(`${file}-copy`, old, old);
  symlinkSync(file, `${file}-link`);
  for (const name of ["copy", "link"]) {
    expect(await fileHash(`${file}-${name}`, signal, { directory, least: 0 })).toBe(sha256("one"));
  }
  expect(readdirSync(directory)).toHaveLength(2);
});

it.each(["", "{", "[]", "null", '{"sha256": "0"}', '{"sha256": 3}'])(
  "a kept hash that reads %j is ignored and written anew",
  async (text) => {
    const { hash, entry } = place();
    await hash();
    const before = readFileSync(entry(), "utf8");
    writeFileSync(entry(), text);
    expect(await hash()).toBe(sha256("one"));
    expect(readFileSync(entry(), "utf8")).toBe(before);
  },
);

it("is not kept of a small file, nor of one that was written just now", async () => {
  const { file, directory } = place();
  await fileHash(file, signal, { directory, least: 4 });
  writeFileSync(file, "now");
  await fileHash(file, signal, { directory, least: 0 });
  expect(() => readdirSync(directory)).toThrow(/ENOENT/);
});

it("is not missed where nothing can be written", async () => {
  const { file, directory } = place();
  // A file where the folder should be: not even root can.
  writeFileSync(join(directory, "..", "..", "blocked"), "");
  const nowhere = join(directory, "..", "..", "blocked", "cache");
  expect(await fileHash(file, signal, { directory: nowhere, least: 0 })).toBe(sha256("one"));
});

it("can be interrupted", async () => {
  const { file, directory } = place();
  const stopped = fileHash(file, AbortSignal.abort(), { directory, least: 0 });
  expect(await failureOf(stopped)).toMatch(/^INTERRUPTED/);
});
