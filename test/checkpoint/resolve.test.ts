import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { hubCacheDirectory } from "../../src/checkpoint/hub/cache.js";
import { type DownloadProgress, openCheckpoint, resolveCheckpoint } from "../../src/checkpoint/index.js";
import { commit, type FakeHub, fakeHub, stubHubEnvironment, withoutPauses } from "./fake_hub.js";
import { errorOf, smallConfig, temporaryDirectories, writeModel } from "./support.js";

withoutPauses();
const directory = temporaryDirectories();
let cache: string;
let hub: FakeHub | undefined;

async function useHub(...parameters: Parameters<typeof fakeHub>): Promise<FakeHub> {
  hub = await fakeHub(...parameters);
  vi.stubEnv("HF_ENDPOINT", hub.url);
  return hub;
}

beforeEach(() => {
  cache = directory();
  stubHubEnvironment(cache);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub?.close();
  hub = undefined;
});

/** The files of the small model, with others around them that nobody needs. */
async function modelFiles(): Promise<Record<string, Uint8Array>> {
  const folder = await writeModel(directory());
  return {
    "README.md": Buffer.from("# a model"),
    "config.json": readFileSync(join(folder, "config.json")),
    "tokenizer.model": Buffer.from("pieces"),
    "model.safetensors": readFileSync(join(folder, "model.safetensors")),
    "pytorch_model.bin": Buffer.from("the same again"),
  };
}

describe("what lies on this machine", () => {
  it("takes an existing directory as it is", async () => {
    const folder = directory();
    expect(await resolveCheckpoint(folder)).toBe(folder);
    expect(await resolveCheckpoint(relative(process.cwd(), folder))).toBe(folder);
    expect(await resolveCheckpoint("~")).toBe(homedir());
  });

  it("refuses what is neither a directory nor a name", async () => {
    const folder = await writeModel(directory());
    for (const name of [
      "",
      "/no/such/place",
      "./nothing",
      "justaname",
      "a/b/c",
      "a/../b",
      "a--b/c",
      `${folder}/config.json`,
    ]) {
      expect([name, (await errorOf(resolveCheckpoint(name))).code]).toEqual([name, "CHECKPOINT_NOT_FOUND"]);
    }
    expect((await errorOf(resolveCheckpoint("a/b", { revision: "../../x" }))).code).toBe(
      "CHECKPOINT_NOT_FOUND",
    );
  });

  it("finds the cache where huggingface_hub does", () => {
    const home = homedir();
    expect(hubCacheDirectory({})).toBe(join(home, ".cache", "huggingface", "hub"));
    expect(hubCacheDirectory({ XDG_CACHE_HOME: "/x" })).toBe(join("/x", "huggingface", "hub"));
    expect(hubCacheDirectory({ HF_HOME: "/h", XDG_CACHE_HOME: "/x" })).toBe(join("/h", "hub"));
    expect(hubCacheDirectory({ HF_HUB_CACHE: "~/c", HF_HOME: "/h" })).toBe(join(home, "c"));
  });

  it("uses a complete snapshot of the cache without the network", async () => {
    const folder = join(cache, "hub", "models--owner--name");
    const snapshot = join(folder, "snapshots", commit);
    mkdirSync(join(folder, "blobs"), { recursive: true });
    mkdirSync(snapshot, { recursive: true });
    const model = await writeModel(directory());
    writeFileSync(join(folder, "blobs", "abc"), readFileSync(join(model, "model.safetensors")));
    symlinkSync(join("..", "..", "blobs", "abc"), join(snapshot, "model.safetensors"));
    expect((await errorOf(resolveCheckpoint("owner/name"))).code).toBe("HUB_UNREACHABLE"); // no config yet
    writeFileSync(join(snapshot, "config.json"), JSON.stringify(smallConfig));
    expect(await resolveCheckpoint("owner/name")).toBe(snapshot);
    expect((await openCheckpoint(snapshot)).tensors.size).toBe(20);
    mkdirSync(join(folder, "refs"));
    writeFileSync(join(folder, "refs", "main"), `${commit}\n`);
    expect(await resolveCheckpoint("owner/name")).toBe(snapshot);
    expect(await resolveCheckpoint("owner/name", { revision: commit })).toBe(snapshot);
    expect((await errorOf(resolveCheckpoint("owner/name", { revision: "v2" }))).code).toBe("HUB_UNREACHABLE");
    rmSync(join(folder, "blobs", "abc")); // now a link to nothing
    expect((await errorOf(resolveCheckpoint("owner/name"))).code).toBe("HUB_UNREACHABLE");
  });
});

describe("downloads", () => {
  it("fetches config, tokenizer and one form of the weights, once", async () => {
    const { url, requests, tokens } = await useHub(await modelFiles());
    const progress: DownloadProgress[] = [];
    const snapshot = await resolveCheckpoint("owner/name", { onProgress: (step) => progress.push(step) });
    expect(snapshot).toBe(join(cache, "hub", "models--owner--name", "snapshots", commit));
    expect(readdirSync(snapshot).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.model"]);
    expect(readFileSync(join(snapshot, "..", "..", "refs", "main"), "utf8")).toBe(commit);
    expect((await openCheckpoint(snapshot)).tensors.size).toBe(20);
    expect(progress.at(-1)!.bytes).toBe(progress.at(-1)!.totalBytes);
    expect(progress.some(({ file }) => file === "model.safetensors")).toBe(true);
    expect(new Set(tokens)).toEqual(new Set([undefined]));
    const before = requests.length;
    expect(await resolveCheckpoint("owner/name")).toBe(snapshot);
    expect(requests.length).toBe(before);
    expect(url).toContain("127.0.0.1");
  });

  it("fetches the shards that an index names, and keeps what is there after a failure", async () => {
    const files = await modelFiles();
    const weights = files["model.safetensors"];
    delete files["model.safetensors"];
    const index = { weight_map: { a: "model-1.safetensors", b: "model-2.safetensors" } };
    files["model.safetensors.index.json"] = Buffer.from(JSON.stringify(index));
    files["model-1.safetensors"] = weights;
    files["model-2.safetensors"] = Buffer.concat([weights, weights]);
    const first = await useHub(files, { broken: "model-2.safetensors" });
    expect((await errorOf(resolveCheckpoint("owner/name"))).code).toBe("HUB_UNREACHABLE");
    await first.close();
    const second = await useHub(files);
    const snapshot = await resolveCheckpoint("owner/name");
    expect(second.requests.filter((request) => request.includes("model-1")).length).toBe(0);
    expect(readFileSync(join(snapshot, "model-2.safetensors")).equals(files["model-2.safetensors"])).toBe(
      true,
    );
    // What had arrived of it was not sent again.
    expect(second.ranges).toContain(`bytes=${weights.length}-`);
    const blobs = readdirSync(join(snapshot, "..", "..", "blobs"));
    expect(blobs.filter((name) => name.includes("incomplete"))).toEqual([]);
  });

  it("sends HF_TOKEN to the endpoint, whatever it looks like", async () => {
    vi.stubEnv("HF_TOKEN", "enterprise-token");
    const { tokens } = await useHub(await modelFiles());
    await resolveCheckpoint("owner/name");
    expect(new Set(tokens)).toEqual(new Set(["Bearer enterprise-token"]));
  });

  it("refuses a model of another kind before its weights are fetched", async () => {
    const files = await modelFiles();
    files["config.json"] = Buffer.from('{"model_type":"llama"}');
    const { requests } = await useHub(files);
    expect((await errorOf(resolveCheckpoint("owner/name"))).code).toBe("CONFIG_UNSUPPORTED");
    expect(requests.filter((request) => request.includes("safetensors"))).toEqual([]);
  });

  it("reports a repository without config, weights or a shard", async () => {
    const { "config.json": config, "model.safetensors": weights } = await modelFiles();
    const index = Buffer.from('{"weight_map":{"a":"gone.safetensors"}}');
    const cases: [Record<string, Uint8Array>, string][] = [
      [{ "model.safetensors": weights }, "CONFIG_MISSING"],
      [{ "config.json": config }, "WEIGHTS_MISSING"],
      [{ "config.json": config, "model.safetensors.index.json": index }, "SHARD_MISSING"],
    ];
    for (const [files, code] of cases) {
      const server = await useHub(files);
      expect((await errorOf(resolveCheckpoint("owner/name"))).code).toBe(code);
      await server.close();
    }
  });

  it("notices bytes that are not those that the hub lists", async () => {
    await useHub(await modelFiles(), { corrupt: "model.safetensors" });
    const error = await errorOf(resolveCheckpoint("owner/name"));
    expect([error.code, error.message]).toEqual(["HUB_CORRUPT", expect.stringContaining("SHA-256")]);
    expect(readdirSync(join(cache, "hub", "models--owner--name", "snapshots", commit))).not.toContain(
      "model.safetensors",
    );
  });

  it("notices a small file of another length", async () => {
    await useHub(
      { ...(await modelFiles()), "tokenizer.json": Buffer.from("{}") },
      { longer: "tokenizer.json" },
    );
    const error = await errorOf(resolveCheckpoint("owner/name"));
    expect([error.code, error.message]).toEqual([
      "HUB_CORRUPT",
      expect.stringContaining("expected 2 bytes, the server announces 3"),
    ]);
  });

  it.each([
    [404, "HUB_NOT_FOUND", /set HF_TOKEN/],
    [401, "HUB_NOT_FOUND", /no such model or revision "main"/],
    [403, "HUB_FORBIDDEN", /terms/],
    [503, "HUB_UNREACHABLE", /local directory/],
  ])("explains status %i", async (status, code, message) => {
    await useHub({}, { status });
    const error = await errorOf(resolveCheckpoint("owner/name"));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it("says what was tried when nothing answers, when it is offline and when the endpoint is no URL", async () => {
    const refused = await errorOf(resolveCheckpoint("owner/name"));
    expect(refused.code).toBe("HUB_UNREACHABLE");
    expect(refused.message).toContain(join(process.cwd(), "owner", "name"));
    expect(refused.message).toContain(join(cache, "hub"));
    expect(refused.message).toContain("http://127.0.0.1:9");
    const { requests } = await useHub(await modelFiles());
    expect((await errorOf(resolveCheckpoint("owner/name", { offline: true }))).message).toContain(
      "switched off",
    );
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    expect((await errorOf(resolveCheckpoint("owner/name"))).code).toBe("HUB_UNREACHABLE");
    expect(requests).toEqual([]);
    vi.stubEnv("HF_HUB_OFFLINE", "0");
    vi.stubEnv("HF_ENDPOINT", "not a url");
    expect((await errorOf(resolveCheckpoint("owner/name"))).message).toContain("HF_ENDPOINT");
  });

  it("throws on what onProgress throws, and the next one goes on", async () => {
    await useHub(await modelFiles());
    const bug = new Error("bug");
    const onProgress = () => {
      throw bug;
    };
    expect(await resolveCheckpoint("owner/name", { onProgress }).catch((error) => error)).toBe(bug);
    expect((await openCheckpoint(await resolveCheckpoint("owner/name"))).tensors.size).toBe(20);
  });

  it("stops at an abort and when the cache cannot be written", async () => {
    await useHub(await modelFiles());
    const stop = new AbortController();
    const options = { signal: stop.signal, onProgress: () => stop.abort() };
    expect((await errorOf(resolveCheckpoint("owner/name", options))).code).toBe("HUB_ABORTED");
    const file = join(directory(), "a file");
    writeFileSync(file, "");
    vi.stubEnv("HF_HOME", file);
    expect((await errorOf(resolveCheckpoint("owner/name"))).code).toBe("CACHE_UNWRITABLE");
  });
});
