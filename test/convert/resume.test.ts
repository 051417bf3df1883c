import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { convertCheckpoint } from "../../src/convert.js";
import { errorOf, temporaryDirectories } from "../checkpoint/support.js";
import { repositoryRoot } from "../support/shared.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

const directory = temporaryDirectories();
let source: string;
let wanted: Buffer;

beforeAll(async () => {
  source = await tinyCheckpoint({ num_hidden_layers: 6 });
  utimesSync(join(source, "model.safetensors"), 1000, 1000);
  const target = join(directory(), "whole");
  await convertCheckpoint(source, target, { to: "int4" });
  wanted = readFileSync(join(target, "model.safetensors"));
});

const weights = (target: string) => readFileSync(join(target, "model.safetensors"));
const journal = (target: string) =>
  readFileSync(join(`${target}.converting`, "journal"), "utf8")
    .split("\n")
    .slice(0, -1);

/** Starts a conversion and ends it after some blocks. */
async function interrupted(target: string, blocks: number): Promise<void> {
  const stop = new AbortController();
  const onProgress = ({ stage, loaded }: { stage: string; loaded: number }) =>
    stage === "weights" && loaded === blocks && stop.abort();
  const error = await errorOf(
    convertCheckpoint(source, target, { to: "int4", onProgress, signal: stop.signal }),
  );
  expect([error.code, existsSync(target)]).toEqual(["INTERRUPTED", false]);
  expect(error.message).toContain(`${target}.converting`);
}

describe("a conversion that is ended before its time", () => {
  it("goes on where it was, makes nothing twice, and ends with the same bytes", async () => {
    const parent = directory();
    const target = join(parent, "new");
    await interrupted(target, 20);
    expect(journal(target).length).toBe(21);
    const before = statSync(join(`${target}.converting`, "checkpoint", "model.safetensors"));
    await interrupted(target, 50);
    const lines = journal(target);
    expect(lines.length).toBe(51);
    expect(new Set(lines).size).toBe(51);
    expect(statSync(join(`${target}.converting`, "checkpoint", "model.safetensors")).ino).toBe(before.ino);
    await convertCheckpoint(source, target, { to: "int4" });
    expect(weights(target).equals(wanted)).toBe(true);
    expect(readdirSync(parent)).toEqual(["new"]);
  });

  it("makes anew what is damaged on the disk, and what a broken line of the journal was about", async () => {
    const target = join(directory(), "new");
    await interrupted(target, 60);
    const made = join(`${target}.converting`, "checkpoint", "model.safetensors");
    const file = openSync(made, "r+");
    const middle = Math.floor(statSync(made).size / 8);
    writeSync(file, Buffer.alloc(4000, 0x55), 0, 4000, middle);
    closeSync(file);
    const path = join(`${target}.converting`, "journal");
    const text = readFileSync(path, "utf8");
    writeFileSync(path, `${text.replace('{"block":3,', '{"block":"x",')}{"block":60,"checks`);
    await convertCheckpoint(source, target, { to: "int4" });
    expect(weights(target).equals(wanted)).toBe(true);
  });

  it("is not gone on with by a conversion to another type, or from a source that was changed", async () => {
    const target = join(directory(), "new");
    await interrupted(target, 5);
    expect((await errorOf(convertCheckpoint(source, target, { to: "int8" }))).code).toBe("CONVERSION_OTHER");
    const file = join(source, "model.safetensors");
    utimesSync(file, 1000, 2000);
    const error = await errorOf(convertCheckpoint(source, target, { to: "int4" }));
    utimesSync(file, 1000, 1000);
    expect([error.code, journal(target).length]).toEqual(["CONVERSION_OTHER", 6]);
    await convertCheckpoint(source, target, { to: "int4" });
    expect(weights(target).equals(wanted)).toBe(true);
  });

  it("is not disturbed by another one to the same folder, which is refused", async () => {
    const target = join(directory(), "new");
    let second: Promise<{ code?: string; message: string }> | undefined;
    const onProgress = ({ stage, loaded }: { stage: string; loaded: number }) => {
      if (stage === "weights" && loaded === 3) {
        second = errorOf(convertCheckpoint(source, target, { to: "int4" }));
      }
    };
    await convertCheckpoint(source, target, { to: "int4", onProgress });
    const refused = await second!;
    expect(refused.code).toBe("CONVERSION_RUNNING");
    expect(refused.message).toContain(`process ${process.pid} on `);
    expect(weights(target).equals(wanted)).toBe(true);
    expect(existsSync(`${target}.converting`)).toBe(false);
  });

  it("takes over from a process that is no more", async () => {
    const target = join(directory(), "new");
    await interrupted(target, 20);
    const gone = JSON.stringify({ pid: 2 ** 22 + 1, started: null, host: hostname() });
    writeFileSync(join(`${target}.converting`, "lock"), gone);
    await convertCheckpoint(source, target, { to: "int4" });
    expect(weights(target).equals(wanted)).toBe(true);
  });

  it("finds that the disk does not give back what was written", async () => {
    const target = join(directory(), "new");
    const made = join(`${target}.converting`, "checkpoint", "model.safetensors");
    const onProgress = ({ stage, loaded, total }: { stage: string; loaded: number; total: number }) => {
      if (stage !== "weights" || loaded !== total) return;
      const file = openSync(made, "r+");
      writeSync(file, Buffer.of(0x55, 0x55, 0x55, 0x55), 0, 4, statSync(made).size - 8);
      closeSync(file);
    };
    const error = await errorOf(convertCheckpoint(source, target, { to: "int4", onProgress }));
    expect([error.code, existsSync(target)]).toEqual(["CONVERSION_CORRUPT", false]);
    await convertCheckpoint(source, target, { to: "int4" });
    expect(weights(target).equals(wanted)).toBe(true);
  });

  const main = join(repositoryRoot, "dist", "src", "cli", "main.js");
  it.skipIf(!existsSync(main))("survives kill -9 at any moment with the same bytes in the end", async () => {
    const target = join(directory(), "new");
    let kills = 0;
    for (let attempt = 0; attempt < 3 && !existsSync(target); attempt++) {
      const child = spawn(process.execPath, [main, "convert", source, target, "--to", "int4"], {
        stdio: "ignore",
      });
      const ended = once(child, "exit");
      const wantedLines = 20 * (attempt + 1);
      while (child.exitCode === null && !existsSync(target)) {
        const done = existsSync(join(`${target}.converting`, "journal")) ? journal(target).length : 0;
        if (done >= wantedLines) break;
        await sleep(2);
      }
      child.kill("SIGKILL");
      const [, signal] = await ended;
      if (signal === "SIGKILL") kills++;
    }
    expect(kills).toBeGreaterThan(0);
    const finished = spawnSync(process.execPath, [main, "convert", source, target, "--to", "int4"], {
      encoding: "utf8",
    });
    if (finished.status !== 0) expect(finished.stderr).toContain("CHECKPOINT_EXISTS"); // it was through before the last kill
    expect(weights(target).equals(wanted)).toBe(true);
  });
});

/** A disk of its own, of `megabytes`; undefined where that is not allowed. */
function smallDisk(megabytes: number): string | undefined {
  const place = directory();
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", place]);
  return mounted.status === 0 ? place : undefined;
}

describe("a full disk", () => {
  it("is found before anything is written, or later with what is done kept", async () => {
    const disk = smallDisk(4);
    if (disk === undefined) {
      process.stderr.write("SKIPPED: a full disk: no file system may be mounted here\n");
      return;
    }
    try {
      const large = await tinyCheckpoint({ hidden_size: 256, intermediate_size: 1024 }, 3); // 7 MB of float32
      const target = join(disk, "new");
      const before = await errorOf(convertCheckpoint(large, target, { to: "float32" }));
      expect([before.code, before.message]).toEqual([
        "DISK_FULL",
        expect.stringMatching(/need .* more.*has 0\.00/),
      ]);
      rmSync(`${target}.converting`, { recursive: true, force: true });

      const filler = join(disk, "filler");
      const fill = ({ stage, loaded }: { stage: string; loaded: number }) => {
        if (stage === "weights" && loaded === 3 && !existsSync(filler)) {
          const { size, blocks } = statSync(join(`${target}.converting`, "checkpoint", "model.safetensors"));
          expect(size).toBeGreaterThan(blocks * 512);
          spawnSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=4096"], { stdio: "ignore" });
        }
      };
      const error = await errorOf(convertCheckpoint(large, target, { to: "bfloat16", onProgress: fill }));
      expect([error.code, error.message]).toEqual([
        "DISK_FULL",
        expect.stringMatching(/kept in .*new\.converting/),
      ]);
      rmSync(filler);
      await convertCheckpoint(large, target, { to: "bfloat16" });
      const whole = join(directory(), "whole");
      await convertCheckpoint(large, whole, { to: "bfloat16" });
      expect(weights(target).equals(weights(whole))).toBe(true);
    } finally {
      spawnSync("umount", ["-l", disk]);
    }
  });
});
