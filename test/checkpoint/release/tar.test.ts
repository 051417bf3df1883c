import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { readTar } from "../../../src/checkpoint/release/tar.js";
import { errorOf, temporaryDirectories } from "../support.js";
import { base256, type Member, makeTar, pax, tarHeader, tarMember } from "./tar_file.js";

const directory = temporaryDirectories();

function write(bytes: Uint8Array, name = "a.tar"): string {
  const path = join(directory(), name);
  writeFileSync(path, bytes);
  return path;
}

async function contents(path: string): Promise<Record<string, string>> {
  const bytes = readFileSync(path);
  const members = await readTar(path);
  return Object.fromEntries(
    [...members].map(([name, { offset, length }]) => [
      name,
      bytes.toString("latin1", offset, offset + length),
    ]),
  );
}

const long = `deep/${"folder/".repeat(20)}file`; // 149 bytes

describe("readTar", () => {
  // The program tar is the independent writer.
  const program = spawnSync("tar", ["--version"], { encoding: "utf8" }).stdout ?? "";
  const isGnu = program.includes("GNU tar");
  if (!isGnu) process.stderr.write("SKIPPED: tars that GNU tar writes: there is no GNU tar\n");
  it.skipIf(!isGnu).each(["v7", "oldgnu", "gnu", "ustar", "pax"])(
    "reads what GNU tar writes as %s",
    async (format) => {
      const source = directory();
      mkdirSync(join(source, "m", "empty"), { recursive: true });
      writeFileSync(join(source, "m", "a"), "A".repeat(700));
      writeFileSync(join(source, "m", "nothing"), "");
      const wanted: Record<string, string> = { "m/a": "A".repeat(700), "m/nothing": "" };
      if (format !== "v7") {
        mkdirSync(join(source, "m", long, ".."), { recursive: true });
        writeFileSync(join(source, "m", long), "B");
        wanted[`m/${long}`] = "B";
      }
      const path = join(directory(), "x.tar");
      const made = spawnSync("tar", [`--format=${format}`, "-cf", path, "-C", source, "./m"], {
        encoding: "utf8",
      });
      expect(made.stderr).toBe("");
      expect(await contents(path)).toEqual(wanted);
    },
  );

  it("finds what lies behind a member of more than 8 GB, in base 256 and by a pax header", async () => {
    const size = 9n * 2n ** 30n + 5n;
    for (const head of [
      tarHeader({ name: "big", size: base256(size) }),
      Buffer.concat([tarMember(pax({ size: String(size) })), tarHeader({ name: "big", size: 0 })]),
    ]) {
      const path = write(head);
      const next = head.byteLength + Number(size) + 507;
      const file = openSync(path, "r+");
      writeSync(file, makeTar([{ name: "small", data: Buffer.from("here") }]), 0, undefined, next); // the rest is a hole
      closeSync(file);
      const members = await readTar(path);
      expect(members.get("big")).toMatchObject({ offset: head.byteLength, length: Number(size) });
      expect(members.get("small")).toMatchObject({ offset: next + 512, length: 4 });
    }
  });

  it("takes names from prefixes, pax headers and long links, and passes over what is no file", async () => {
    const members: Member[] = [
      { name: "pax_global_header", type: "g", data: Buffer.from("19 comment=abcdefg\n") },
      { name: "b", prefix: "a", data: Buffer.from("1") },
      pax({ path: "ä/ü", mtime: "1.5" }),
      { name: "short", data: Buffer.from("2") },
      { name: "././@LongLink", type: "L", data: Buffer.from("a/long/name\0") },
      { name: "short", data: Buffer.from("3") },
      { name: "dir/", type: "5" },
      { name: "link", type: "2" },
      { name: "old", type: "\0", data: Buffer.from("4") },
    ];
    expect(await contents(write(makeTar(members)))).toEqual({
      "a/b": "1",
      "ä/ü": "2",
      "a/long/name": "3",
      old: "4",
    });
  });

  const file = { name: "f", data: Buffer.from("x") };
  it.each<[string, string, Uint8Array, RegExp]>([
    ["gzip", "TAR_UNSUPPORTED", gzipSync(makeTar([file])), /gunzip/],
    ["bzip2", "TAR_UNSUPPORTED", Buffer.from("BZh91AY&SY"), /bunzip2/],
    ["xz", "TAR_UNSUPPORTED", Buffer.from("\xfd7zXZ\0\0\0", "latin1"), /unxz/],
    ["zstd", "TAR_UNSUPPORTED", Buffer.from("\x28\xb5\x2f\xfd0000", "latin1"), /unzstd/],
    ["a sparse file of GNU tar", "TAR_UNSUPPORTED", makeTar([{ ...file, type: "S" }]), /sparse/],
    ["a sparse file by pax", "TAR_UNSUPPORTED", makeTar([pax({ "GNU.sparse.major": "1" }), file]), /sparse/],
    ["another checksum", "TAR_INVALID", makeTar([{ ...file, checksum: "0000001\0" }]), /checksum/],
    [
      "a size that is no number",
      "TAR_INVALID",
      makeTar([{ ...file, size: Buffer.from("12x") }]),
      /no number/,
    ],
    ["a negative size", "TAR_INVALID", makeTar([{ ...file, size: Buffer.alloc(12, 0xff) }]), /negative/],
    ["a size past 2^53", "TAR_INVALID", makeTar([{ ...file, size: base256(2n ** 60n) }]), /no number/],
    ["a size past the end", "CHECKPOINT_TRUNCATED", makeTar([{ ...file, size: 9999 }]), /9999|10511/],
    ["two of a name", "TAR_INVALID", makeTar([file, file]), /two members/],
    ["random text", "TAR_INVALID", Buffer.alloc(600, "text"), /no number|checksum/],
    [
      "a pax record without length",
      "TAR_INVALID",
      makeTar([{ ...pax({}), data: Buffer.from("path=a\n") }]),
      /damaged/,
    ],
    [
      "a pax record past the end",
      "TAR_INVALID",
      makeTar([{ ...pax({}), data: Buffer.from("99 path=a\n") }]),
      /damaged/,
    ],
    [
      "a pax record of no key",
      "TAR_INVALID",
      makeTar([{ ...pax({}), data: Buffer.from("6 =a \n") }]),
      /damaged/,
    ],
    [
      "a huge pax header",
      "TAR_INVALID",
      makeTar([{ ...pax({}), data: Buffer.alloc(2 ** 20 + 1) }]),
      /extended/,
    ],
    ["a pax size that is none", "TAR_INVALID", makeTar([pax({ size: "-1" }), file]), /no number/],
    [
      "10,001 members",
      "TAR_INVALID",
      makeTar(Array.from({ length: 10_001 }, (_, i) => ({ name: `${i}` }))),
      /10000/,
    ],
  ])("refuses %s", async (_, code, bytes, message) => {
    const error = await errorOf(readTar(write(bytes)));
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(message)]);
  });

  it("has nothing in an empty file", async () =>
    expect((await readTar(write(Buffer.alloc(0)))).size).toBe(0));
});
