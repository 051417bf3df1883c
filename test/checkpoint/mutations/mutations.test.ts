import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { openCheckpoint } from "../../../src/checkpoint/index.js";
import { repositoryRoot } from "../../support/shared.js";
import { temporaryDirectories } from "../support.js";
import { victims } from "./models.js";
import { mutated, mutations } from "./mutate.js";

const directory = temporaryDirectories();
const library = join(repositoryRoot, "dist", "src", "checkpoint", "index.js");
const EACH = 72; // of seven kinds: 504

if (!existsSync(library)) process.stderr.write("SKIPPED: mutated checkpoints: dist/ is not built\n");
it.skipIf(!existsSync(library))(
  "500 mutated headers, indexes and pickles end in coded errors or open: no crash, no hang, no wild allocation",
  async () => {
    const folder = directory();
    const kinds = await victims(join(folder, "sound"), readFileSync);
    const seed = fc.readConfigureGlobal().seed ?? Math.floor(Math.random() * 2 ** 31);
    const cases = new Map<string, string>();
    for (const [at, [kind, { part, write }]] of Object.entries(kinds).entries()) {
      const sound = join(folder, `sound-${at}`);
      mkdirSync(sound);
      expect((await openCheckpoint(write(sound, part))).tensors.size, kind).toBe(20);
      for (const [index, changes] of fc.sample(mutations, { numRuns: EACH, seed: seed + at }).entries()) {
        const place = join(folder, `${at}-${index}`);
        mkdirSync(place);
        cases.set(write(place, mutated(part, changes)), `${kind}: ${JSON.stringify(changes, bigints)}`);
      }
    }
    const list = join(folder, "list");
    writeFileSync(list, [...cases.keys()].join("\n"));
    const script = join(repositoryRoot, "test", "checkpoint", "mutations", "open_all.mjs");
    // A process of its own: a crash ends it, a hang is ended with it, and its memory is nobody else's.
    const child = spawnSync(process.execPath, ["--max-old-space-size=128", script, library, list], {
      encoding: "utf8",
      timeout: 60_000,
    });
    const lines = child.stdout.split("\n").slice(0, -1);
    const last = lines.at(-1)?.split("\t")[0] ?? "";
    expect([child.status, child.signal], `seed ${seed}, at ${cases.get(last)}\n${child.stderr}`).toEqual([
      0,
      null,
    ]);
    const outcomes = new Map(lines.map((line) => line.split("\t") as [string, string]));
    const uncoded = [...cases].filter(
      ([path]) => !/^(opened|PersimmonError [A-Z_0-9]+)$/.test(outcomes.get(path) ?? ""),
    );
    expect(
      uncoded.map(([path, what]) => `${outcomes.get(path)} ${what}`),
      `seed ${seed}`,
    ).toEqual([]);
    expect(new Set([...cases.keys()].map((path) => outcomes.get(path))).size).toBeGreaterThan(8); // damage of many kinds
    expect(Number(outcomes.get("grew")), `seed ${seed}`).toBeLessThan(300e6);
  },
  90_000,
);

const bigints = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
