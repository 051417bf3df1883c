import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readItems } from "../../../src/evals/data/index.js";
import { findTask } from "../../../src/evals/tasks/index.js";
import {
  commit,
  type FakeHub,
  fakeHub,
  stubHubEnvironment,
  withoutPauses,
} from "../../checkpoint/fake_hub.js";
import { failureOf } from "../../support/codes.js";
import { fixture, folders } from "./files.js";

withoutPauses();
const folder = folders();
let cache: string;
let hub: FakeHub | undefined;

async function useHub(
  files: Record<string, string>,
  options: Parameters<typeof fakeHub>[1] = {},
): Promise<FakeHub> {
  const contents = Object.entries(files).map(([name, stored]) => [name, readFileSync(fixture(stored))]);
  hub = await fakeHub(Object.fromEntries(contents), { kind: "dataset", ...options });
  vi.stubEnv("HF_ENDPOINT", hub.url);
  return hub;
}

beforeEach(() => {
  cache = folder({});
  stubHubEnvironment(cache);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub?.close();
  hub = undefined;
});

const arc = findTask("arc-easy");
const arcFiles = {
  "README.md": "make_parquet.py",
  "ARC-Easy/validation-00000-of-00002.parquet": "arc-0.parquet",
  "ARC-Easy/validation-00001-of-00002.parquet": "arc-1.parquet",
  "ARC-Easy/train-00000-of-00001-0123456789abcdef.parquet": "arc-1.parquet",
  "ARC-Challenge/test-00000-of-00001.parquet": "arc-0.parquet",
};

describe("a data set on the hub", () => {
  it("is downloaded once, its split alone, into the hub's own cache", async () => {
    const { requests } = await useHub(arcFiles);
    const data = await readItems(arc, "hub:owner/name", { split: "dev" });
    expect(data.items.map((item) => item.id)).toEqual([0, 1, 2, 3, 4].map((n) => `invented_${n}`));
    expect(data).toMatchObject({ split: "validation", source: `hub:owner/name@${commit}` });
    const snapshot = join(cache, "hub", "datasets--owner--name", "snapshots", commit);
    expect(data.files.map((file) => file.path)).toEqual([
      join(snapshot, "ARC-Easy/validation-00000-of-00002.parquet"),
      join(snapshot, "ARC-Easy/validation-00001-of-00002.parquet"),
    ]);
    expect(readdirSync(join(snapshot, "ARC-Easy"))).toHaveLength(2);
    expect(readFileSync(join(snapshot, "..", "..", "refs", "main"), "utf8")).toBe(commit);
    const before = requests.length;
    expect(await readItems(arc, "hub:owner/name", { split: "validation" })).toEqual(data);
    expect(requests.length).toBe(before);

    await hub!.close(); // what is there needs no hub
    expect(await readItems(arc, "hub:owner/name", { split: "validation" })).toEqual(data);
    expect(await readItems(arc, "hub:owner/name@main", { split: "validation" })).toEqual(data);
    rmSync(data.files[1].path);
    expect(await failureOf(readItems(arc, "hub:owner/name", { split: "validation" }))).toMatch(
      /^HUB_UNREACHABLE/,
    );
  });

  it("takes names with a hash, and the only split without being asked", async () => {
    await useHub(arcFiles);
    expect((await readItems(arc, "hub:owner/name", { split: "train" })).items).toHaveLength(2);
    expect((await readItems(findTask("arc-challenge"), "hub:owner/name")).split).toBe("test");
  });

  it("is taken from the branch that the hub converts where its own has no parquet", async () => {
    const branch = "refs/convert/parquet";
    const { requests } = await useHub(
      { "default/validation/0000.parquet": "hellaswag.parquet" },
      { branch, emptyBranch: "main" },
    );
    const task = findTask("hellaswag");
    const data = await readItems(task, "hub:owner/name", { split: "validation" });
    expect(data.items.map((item) => item.id)).toEqual(["validation/0", "validation/1"]);
    const before = requests.length;
    expect(await readItems(task, "hub:owner/name", { split: "validation" })).toEqual(data);
    expect(requests.length).toBe(before);
  });

  it("is asked for by the name of the task, at HF_ENDPOINT, with HF_TOKEN", async () => {
    vi.stubEnv("HF_TOKEN", "secret");
    const { requests, tokens } = await useHub({}, { status: 404 });
    const error = await failureOf(readItems(findTask("mmlu"), "hub", { split: "test" }), cache);
    expect(error).toMatch(/^HUB_NOT_FOUND: cais\/mmlu: .*no such data set/);
    expect(requests[0]).toContain("/api/datasets/cais/mmlu/revision/main");
    expect(new Set(tokens)).toEqual(new Set(["Bearer secret"]));
  });

  it("offline is a clear error", async () => {
    const ask = () => failureOf(readItems(arc, "hub", { split: "test" }), cache);
    expect(await ask()).toMatch(
      /^HUB_UNREACHABLE: allenai\/ai2_arc: there is no split "test" of it in the cache <directory>\/hub, and http:\/\/127\.0\.0\.1:9 could not be used/,
    );
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect(await ask()).toMatchInlineSnapshot(
      `"HUB_UNREACHABLE: allenai/ai2_arc: there is no split "test" of it in the cache <directory>/hub, and downloading is switched off (offline option or HF_HUB_OFFLINE). Give the path of a local directory, or download the data set on another machine and copy it."`,
    );
  });

  it("a split or a subset that is not there is named", async () => {
    await useHub(arcFiles);
    const fails = (task: string, options: object) =>
      failureOf(readItems(findTask(task), "hub:owner/name", options));
    expect(await fails("arc-easy", { split: "test" })).toMatchInlineSnapshot(
      `"DATA_SPLIT_UNKNOWN: hub:owner/name@0123456789abcdef0123456789abcdef01234567 has no split "test"; choose one of train, validation."`,
    );
    expect(await fails("arc-easy", {})).toMatchInlineSnapshot(
      `"DATA_SPLIT_UNKNOWN: hub:owner/name@0123456789abcdef0123456789abcdef01234567 holds several splits; choose one of train, validation."`,
    );
    expect(await fails("triviaqa", { split: "test", subset: "unfiltered" })).toMatchInlineSnapshot(
      `"DATA_SUBSET_UNKNOWN: hub:owner/name has no parquet files of "unfiltered"."`,
    );
    expect(await fails("hellaswag", { split: "test" })).toMatchInlineSnapshot(
      `"DATA_MISSING: hub:owner/name has no parquet files of "default"."`,
    );
  });

  it("damage is noticed, and nothing of it stays", async () => {
    await useHub(arcFiles, { corrupt: "ARC-Easy/validation-00001-of-00002.parquet" });
    expect(await failureOf(readItems(arc, "hub:owner/name", { split: "validation" }))).toMatch(
      /^HUB_CORRUPT/,
    );
    expect(existsSync(join(cache, "hub", "datasets--owner--name", "refs"))).toBe(false);
    await hub!.close();
    await useHub(arcFiles, { broken: "ARC-Easy/train-00000-of-00001-0123456789abcdef.parquet" });
    expect(await failureOf(readItems(arc, "hub:owner/name", { split: "train" }))).toMatch(/^HUB_UNREACHABLE/);
    await hub!.close();
    await useHub(arcFiles);
    expect((await readItems(arc, "hub:owner/name", { split: "validation" })).items).toHaveLength(5);
  });

  it("can be stopped", async () => {
    await useHub(arcFiles);
    const signal = AbortSignal.abort();
    expect(await failureOf(readItems(arc, "hub:owner/name", { split: "train", signal }))).toMatch(
      /^HUB_ABORTED/,
    );
  });

  it.each(["hub:", "hub:name", "hub:a/b/c", "hub:../x", "hub:a/b@../x"])("%s is no name", async (source) => {
    const expected = source === "hub:" ? /^HUB_UNREACHABLE/ : /^DATA_OPTIONS_INVALID/;
    expect(await failureOf(readItems(arc, source, { split: "test" }))).toMatch(expected);
  });
});
