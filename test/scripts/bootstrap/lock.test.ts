import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockHolder, withLock } from "../../../scripts/bootstrap/lock.mjs";

describe("withLock", () => {
  let folder = "";
  let path = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lock-"));
    path = join(folder, "lock");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("runs one at a time and says whom it waits for", async () => {
    let inside = 0;
    let most = 0;
    const waited: number[] = [];
    const work = async () => {
      inside++;
      most = Math.max(most, inside);
      await sleep(5);
      inside--;
    };
    await Promise.all(
      [1, 2, 3, 4].map(() =>
        withLock(path, work, { onWait: (pid) => waited.push(pid), pollMilliseconds: 1 }),
      ),
    );
    expect(most).toBe(1);
    expect(waited).toEqual([process.pid, process.pid, process.pid]);
    expect(existsSync(path)).toBe(false);
  });

  it("is given back when the work fails", async () => {
    await expect(withLock(path, () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    expect(existsSync(path)).toBe(false);
  });

  it("is taken over from a process that died, or that never wrote its number", async () => {
    const dead = spawnSync(process.execPath, ["-p", "process.pid"], { encoding: "utf8" }).stdout.trim();
    for (const content of [dead, "", "no number"]) {
      writeFileSync(path, content);
      expect(lockHolder(path)).toBeUndefined();
      const held = await withLock(path, async () => readFileSync(path, "utf8"));
      expect(held).toBe(String(process.pid));
    }
  });
});
