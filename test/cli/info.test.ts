import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { inspectCheckpoint } from "../../src/checkpoint/index.js";
import { type CheckpointInfo, describeCheckpoint, infoCommand } from "../../src/cli/info.js";
import { demoModelDirectory } from "../../src/load_model.js";
import { commit, type FakeHub, fakeHub, stubHubEnvironment, withoutPauses } from "../checkpoint/fake_hub.js";
import { errorOf, smallConfig, temporaryDirectories, writeModel } from "../checkpoint/support.js";

withoutPauses();
const directory = temporaryDirectories();
let hub: FakeHub | undefined;
beforeEach(() => {
  stubHubEnvironment(directory());
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub?.close();
  hub = undefined;
});

async function useHub(...parameters: Parameters<typeof fakeHub>): Promise<FakeHub> {
  hub = await fakeHub(...parameters);
  vi.stubEnv("HF_ENDPOINT", hub.url);
  return hub;
}

/** The bundled model, as if it were on the hub. */
const demoFiles = () => {
  const names = ["config.json", "model.safetensors", "training.json"];
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(demoModelDirectory(), name))]));
};

async function printed(...args: string[]): Promise<string> {
  let text = "";
  const write = vi.spyOn(process.stdout, "write").mockImplementation((part) => {
    text += part;
    return true;
  });
  try {
    await infoCommand().parseAsync(args, { from: "user" });
  } finally {
    write.mockRestore();
  }
  return text;
}

it("says what is in the bundled model and what it takes", async () => {
  const text = await printed();
  expect(text).toContain("100 tensors, 6,837,760 parameters, 13.7 MB bfloat16\n");
  // Its README has 93.2 % as the mean.
  expect(text).toContain("zeros after squared ReLU, as training.json has them: 93.2 %");
  expect(text.slice(text.indexOf("memory in"))).toMatchInlineSnapshot(`
    "memory in MB, weights held as        float32  bfloat16      int8      int4
    weights                                27.35     13.68      6.95      3.88
    2,048 tokens
      activations and tables               17.61     17.61     17.61     17.61
      keys and values as float32           25.17     25.17     25.17     25.17
        total                              70.13     56.45     49.73     46.66
      keys and values as bfloat16          12.58     12.58     12.58     12.58
        total                              57.55     43.87     37.14     34.07
      keys and values as int8               6.68      6.68      6.68      6.68
        total                              51.65     37.97     31.25     28.18
    "
  `);
});

it("prints the same as JSON", async () => {
  const info: CheckpointInfo = JSON.parse(await printed("--json"));
  expect(info.sparsity?.layers).toHaveLength(6);
  expect(info.memory).toHaveLength(12); // its longest context is 2,048
  expect(info.memory[1]).toMatchObject({ dtype: "bfloat16", kvDtype: "float32", weights: 2 * 6_837_760 });
  expect(info.bytesByDType).toEqual({ bfloat16: 13_675_520 });
});

it("says nothing of sparsity where nothing is known", async () => {
  const folder = await writeModel(directory());
  for (const training of [
    "{",
    "{}",
    '{"held_out":{"zeros":[1.5]}}',
    '{"held_out":{"zeros":[0.5,0.5]}}',
    "null",
  ]) {
    writeFileSync(join(folder, "training.json"), training);
    expect(describeCheckpoint(await inspectCheckpoint(folder)).sparsity).toBeUndefined();
  }
});

describe("a model on the hub that was not downloaded", () => {
  it("is described by the headers of its files alone", async () => {
    const files = demoFiles();
    const { ranges, requests } = await useHub(files);
    const { directory: _, ...local } = describeCheckpoint(await inspectCheckpoint(demoModelDirectory()));
    const {
      hub: place,
      files: weights,
      ...remote
    } = describeCheckpoint(await inspectCheckpoint("owner/name"));
    expect(remote).toEqual(local);
    expect(place).toEqual({ name: "owner/name", commit });
    expect(weights).toEqual([{ path: "model.safetensors", bytes: files["model.safetensors"].length }]);
    const header = Number(files["model.safetensors"].readBigUInt64LE());
    expect(ranges.filter(Boolean)).toEqual(["bytes=0-7", `bytes=8-${header + 7}`]);
    expect(requests.filter((request) => request.includes("safetensors"))).toHaveLength(2);
    expect(hub!.sent).toBe(files["config.json"].length + files["training.json"].length + 8 + header);
  });

  it("reads the headers of all shards", async () => {
    const files = demoFiles();
    const other = Buffer.from('{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}');
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(other.length));
    const index = { weight_map: { a: "model-1.safetensors", x: "model-2.safetensors" } };
    await useHub({
      "config.json": files["config.json"],
      "model.safetensors.index.json": Buffer.from(JSON.stringify(index)),
      "model-1.safetensors": files["model.safetensors"],
      "model-2.safetensors": Buffer.concat([length, other, Buffer.alloc(4)]),
    });
    const error = await errorOf(inspectCheckpoint("owner/name"));
    expect([error.code, error.message]).toEqual([
      "TENSOR_UNEXPECTED",
      expect.stringContaining('1 tensor not expected: "x";'),
    ]);
  });

  it("with .bin files is described by its configuration and their sizes", async () => {
    const index = { weight_map: { a: "pytorch_model-1.bin", b: "pytorch_model-2.bin" } };
    const { ranges } = await useHub({
      "config.json": demoFiles()["config.json"],
      "pytorch_model.bin.index.json": Buffer.from(JSON.stringify(index)),
      "pytorch_model-1.bin": Buffer.alloc(70_000),
      "pytorch_model-2.bin": Buffer.alloc(30_000),
    });
    const text = await printed("owner/name");
    expect(text).toContain("pytorch_model-1.bin  0.1 MB\n");
    expect(text).toContain("100 tensors, 6,837,760 parameters, 0.1 MB in 2 files\n");
    expect(text).toContain("weights                                27.35     13.68      6.95      3.88\n");
    expect(ranges).toEqual(["", ""]); // config and index
  });

  it("is an error where the server has no parts of files: it is not fetched as a whole", async () => {
    await useHub(demoFiles(), {
      fault: (file) => (file === "model.safetensors" ? { ignoreRange: true } : {}),
    });
    const error = await errorOf(inspectCheckpoint("owner/name"));
    expect(error.code).toBe("HUB_UNREACHABLE");
    expect(error.message).toMatch(/expected bytes 0-7\/\d+, was sent the whole file/);
    // What the network takes before it hears that nobody wants it, a few MB.
    expect(hub!.sent).toBeLessThan(demoFiles()["model.safetensors"].length);
  });

  it.each<[string, Record<string, Buffer>, string]>([
    ["a header that is none", { "model.safetensors": Buffer.alloc(64, 255) }, "SAFETENSORS_INVALID"],
    ["a file that is too short", { "model.safetensors": Buffer.alloc(4) }, "CHECKPOINT_TRUNCATED"],
    ["no weights", {}, "WEIGHTS_MISSING"],
    [
      "an index of nothing",
      { "model.safetensors.index.json": Buffer.from("{}") },
      "CHECKPOINT_INDEX_INVALID",
    ],
    [
      "a shard that is missing",
      { "model.safetensors.index.json": Buffer.from('{"weight_map":{"a":"b.safetensors"}}') },
      "SHARD_MISSING",
    ],
    ["no config", { "config.json": Buffer.alloc(0), "model.safetensors": Buffer.alloc(9) }, "CONFIG_INVALID"],
  ])("%s is an error of its own", async (_, files, code) => {
    await useHub({ "config.json": Buffer.from(JSON.stringify(smallConfig)), ...files });
    expect((await errorOf(inspectCheckpoint("owner/name"))).code).toBe(code);
  });

  it("is taken from the cache where it is complete there", async () => {
    const { requests } = await useHub({});
    const snapshot = join(process.env.HF_HOME!, "hub", "models--owner--name", "snapshots", commit);
    mkdirSync(snapshot, { recursive: true });
    await writeModel(snapshot);
    expect(describeCheckpoint(await inspectCheckpoint("owner/name")).directory).toBe(snapshot);
    expect(requests).toEqual([]);
  });
});
