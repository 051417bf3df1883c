import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { patience } from "../../../src/checkpoint/hub/patience.js";
import { type DownloadProgress, resolveCheckpoint } from "../../../src/checkpoint/index.js";
import {
  blobName,
  commit,
  type FakeHub,
  type Fault,
  fakeHub,
  stubHubEnvironment,
  withoutPauses,
} from "../fake_hub.js";
import { errorOf, smallConfig, temporaryDirectories } from "../support.js";

withoutPauses();
const directory = temporaryDirectories();

// 200,000 bytes that nobody could mix up: each 32 of them are a hash of their place.
const weights = Buffer.concat(
  Array.from({ length: 6250 }, (_, at) => createHash("sha256").update(`${at}`).digest()),
);
const files = {
  "config.json": Buffer.from(JSON.stringify(smallConfig)),
  "pytorch_model.bin": weights,
};
const large = "pytorch_model.bin";
const half = 100_000;

let cache: string;
let hubs: FakeHub[];
beforeEach(() => {
  hubs = [];
  cache = directory();
  stubHubEnvironment(cache);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const hub of hubs) await hub.close();
});

async function useHub(options: Parameters<typeof fakeHub>[1] = {}): Promise<FakeHub> {
  const hub = await fakeHub(files, options);
  hubs.push(hub);
  vi.stubEnv("HF_ENDPOINT", hub.url);
  return hub;
}

/** A hub whose answers to requests for the weights have these faults, one after the other. */
function faulty(...faults: Fault[]): Promise<FakeHub> {
  return useHub({ fault: (file, time) => (file === large ? faults[time - 1] : undefined) });
}

const blobs = () => join(cache, "hub", "models--owner--name", "blobs");
const blob = () => join(blobs(), blobName(large, weights));
const part = () => `${blob()}.incomplete`;

function leavePart(bytes: Uint8Array): void {
  mkdirSync(blobs(), { recursive: true });
  writeFileSync(part(), bytes);
}

/** Downloads, and makes sure that the right bytes arrived and nothing else stays. */
async function arrives(progress: DownloadProgress[] = []): Promise<void> {
  const snapshot = await resolveCheckpoint("owner/name", { onProgress: (step) => progress.push(step) });
  expect(readFileSync(join(snapshot, large)).equals(weights)).toBe(true);
  expect(readdirSync(blobs()).sort()).toEqual(
    Object.entries(files)
      .map(([path, data]) => blobName(path, data))
      .sort(),
  );
  expect(readdirSync(join(cache, "hub", ".locks", "models--owner--name"))).toEqual([]);
  expect(progress.every(({ bytes, totalBytes }) => bytes >= 0 && bytes <= totalBytes)).toBe(true);
}

const failure = async () => {
  const { code, message } = await errorOf(resolveCheckpoint("owner/name"));
  return `${code}: ${message.replaceAll(cache, "<cache>").replaceAll(/127\.0\.0\.1:\d+/g, "hub")}`;
};

describe("a connection that breaks", () => {
  it("is taken up where it ended, as often as it brings something", async () => {
    const hub = await faulty(...Array.from({ length: 10 }, () => ({ breakAfter: 16_384 })));
    const progress: DownloadProgress[] = [];
    await arrives(progress);
    // What was on its way when the connection broke may be sent twice.
    const offsets = hub.ranges.slice(2).map((range) => Number(/^bytes=(\d+)-$/.exec(range)?.[1]));
    expect(offsets).toHaveLength(10);
    expect(offsets.every((offset, at) => offset > (offsets[at - 1] ?? 0))).toBe(true);
    expect(hub.sent).toBeLessThanOrEqual(weights.length + files["config.json"].length + 10 * 16_384);
    expect(progress.filter(({ pause }) => pause).length).toBe(10);
  });

  it("without a length of the body is no whole file", async () => {
    const hub = await faulty({ breakAfter: half, noLength: true });
    await arrives();
    expect(hub.ranges.at(-1)).toMatch(/^bytes=\d+-$/);
  });

  it("before anything arrives is given up after some tries, and the part stays", async () => {
    leavePart(weights.subarray(0, half));
    const hub = await useHub({ fault: (file) => (file === large ? { breakAfter: 0 } : undefined) });
    expect(await failure()).toMatch(/^HUB_UNREACHABLE: .*What has arrived is kept/);
    expect(hub.ranges.filter((range) => range === `bytes=${half}-`)).toHaveLength(patience.tries);
    expect(readFileSync(part()).equals(weights.subarray(0, half))).toBe(true);
    await useHub();
    await arrives();
  });

  it("that stalls is given up after HF_HUB_DOWNLOAD_TIMEOUT and taken up again", async () => {
    vi.stubEnv("HF_HUB_DOWNLOAD_TIMEOUT", "0.2");
    const hub = await faulty({ stallAfter: half });
    const progress: DownloadProgress[] = [];
    await arrives(progress);
    expect(hub.ranges.at(-1)).toMatch(/^bytes=\d+-$/);
    expect(progress.find(({ pause }) => pause)?.pause).toMatch(/^nothing came for 0.2 s; trying again in/);
  });

  it("of the hub's own pages that stalls is taken up too", async () => {
    vi.stubEnv("HF_HUB_DOWNLOAD_TIMEOUT", "0.2");
    const silent = { status: undefined, stallAfter: 0 };
    const hub = await useHub({ fault: (file, time) => (file === "config.json" && time === 1 ? silent : {}) });
    await arrives();
    expect(hub.requests.filter((request) => request.endsWith("config.json"))).toHaveLength(2);
  });
});

describe("a server that answers something else than the range", () => {
  it.each<[string, Fault]>([
    ["ignores it", { ignoreRange: true }],
    ["sends another one", { shiftRange: 7 }],
    ["has another ETag", { etag: '"y"' }],
    ["refuses it", { status: 416 }],
  ])("%s: the file begins anew", async (_, fault) => {
    const hub = await faulty({ breakAfter: half }, fault);
    await arrives();
    const own = hub.ranges.slice(1); // after config.json
    expect(own.slice(0, 2)).toEqual(["", expect.stringMatching(/^bytes=\d+-$/)]);
    // Where it sends all of the file, that is taken.
    expect(own.slice(2)).toEqual("ignoreRange" in fault ? [] : [""]);
  });

  it("but does not name an ETag goes on", async () => {
    const hub = await faulty({ breakAfter: half }, { etag: "" });
    await arrives();
    expect(hub.ranges.slice(1)).toEqual(["", expect.stringMatching(/^bytes=\d+-$/)]);
  });

  it("is not asked for ever, though each try brings something", async () => {
    const fault = (file: string, time: number) =>
      file === large ? { breakAfter: half, etag: `"${time}"` } : undefined;
    const hub = await useHub({ fault });
    expect(await failure()).toMatch(/^HUB_UNREACHABLE/);
    expect(hub.ranges.length).toBeLessThan(4 * patience.tries);
  });
});

describe("a server that sends something else than the hub lists", () => {
  it("wrong bytes are an error, and nothing of them stays", async () => {
    await useHub({ corrupt: large });
    expect(await failure()).toMatchInlineSnapshot(
      `"HUB_CORRUPT: http://hub: owner/name: pytorch_model.bin: the received bytes do not have the SHA-256 that the hub lists. Try again."`,
    );
    expect(readdirSync(blobs())).toEqual([blobName("config.json", files["config.json"])]);
    expect(existsSync(join(cache, "hub", "models--owner--name", "refs"))).toBe(false);
    await useHub();
    await arrives();
  });

  it("wrong bytes of a small file are found by its git hash", async () => {
    await useHub({ corrupt: "config.json" });
    expect(await failure()).toMatch(
      /^HUB_CORRUPT: .*config.json: the received bytes do not have the git hash/,
    );
  });

  it.each<[string, Fault, RegExp]>([
    ["announces too much", { announce: 5 }, /expected 200000 bytes, the server announces 200005/],
    [
      "is a page of a network that wants a login",
      { data: Buffer.from("<html>") },
      /the server announces 6\./,
    ],
    [
      "sends too much",
      { data: Buffer.concat([weights, weights]), noLength: true },
      /expected 200000 bytes, received more/,
    ],
  ])("that %s is an error, and the part stays", async (_, fault, message) => {
    leavePart(weights.subarray(0, half));
    await faulty({ ignoreRange: true, ...fault });
    expect(await failure()).toMatch(message);
    await useHub();
    await arrives();
  });

  it("a size in the listing that is not that of the file is an error", async () => {
    await useHub({ listed: { [large]: weights.length + 1 } });
    expect(await failure()).toMatch(/^HUB_CORRUPT: .*expected 200001 bytes, the server announces 200000/);
  });

  it.each<[string, Uint8Array]>([
    ["of other bytes", Buffer.alloc(half)],
    ["that is too long", Buffer.alloc(weights.length + 1)],
    ["that is as long as the file", Buffer.alloc(weights.length)],
  ])("a part %s is fetched anew", async (_, found) => {
    leavePart(found);
    const hub = await useHub();
    await arrives();
    expect(hub.ranges.at(-1)).toBe("");
  });

  it("a part that is the whole file is not fetched again", async () => {
    leavePart(weights);
    const hub = await useHub();
    await arrives();
    expect(hub.requests.filter((request) => request.endsWith(large))).toEqual([]);
  });

  it("a blob that was cut off is fetched anew", async () => {
    mkdirSync(blobs(), { recursive: true });
    writeFileSync(blob(), weights.subarray(0, half));
    await useHub();
    await arrives();
  });
});

describe("a hub that is busy", () => {
  it.each([429, 500, 502, 503, 504, 408])("status %i of anything is asked again", async (status) => {
    const hub = await useHub({ fault: (_, time) => (time <= 2 ? { status } : undefined) });
    await arrives();
    for (const what of ["/revision/", "config.json", large])
      expect(hub.requests.filter((request) => request.includes(what))).toHaveLength(3);
  });

  it("says when to come again", async () => {
    const progress: DownloadProgress[] = [];
    const asked = [{ "retry-after": "7" }, { ratelimit: '"resolvers";r=0;t=5' }, {}];
    Object.assign(patience, { longestDelay: 20 });
    await faulty(...asked.map((headers) => ({ status: 429, headers })));
    await arrives(progress);
    expect(progress.flatMap(({ pause }) => pause ?? [])).toEqual([
      "status 429; trying again in 1 s", // would be 7 and 5, but for the bound
      "status 429; trying again in 1 s",
      "status 429; trying again in 1 s",
    ]);
  });

  it("is not asked for ever", async () => {
    const hub = await useHub({ status: 503 });
    expect(await failure()).toMatch(/^HUB_UNREACHABLE: .*could not be used: status 503\. /);
    expect(hub.requests).toHaveLength(patience.tries);
  });
});

describe("content on another server", () => {
  it("is fetched from there without the token, also when it names no ETag, as Xet storage", async () => {
    vi.stubEnv("HF_TOKEN", "secret");
    const content = await fakeHub(files, {
      fault: (_, time) => ({ etag: "", ...(time === 1 && { breakAfter: half }) }),
    });
    hubs.push(content);
    const hub = await useHub({ content: content.url });
    await arrives();
    expect(content.ranges).toEqual(["", expect.stringMatching(/^bytes=\d+-$/)]);
    expect(new Set(content.tokens)).toEqual(new Set([undefined]));
    expect(new Set(hub.tokens)).toEqual(new Set(["Bearer secret"]));
  });

  it("is asked for anew when its address has expired", async () => {
    const content = await fakeHub(files, {
      fault: (_, time) => (time === 1 ? { status: 403 } : undefined),
    });
    hubs.push(content);
    const hub = await useHub({ content: content.url });
    await arrives();
    expect(hub.requests.filter((request) => request.endsWith(large))).toHaveLength(2);
  });

  it("that has changed since the listing is noticed before anything of it is kept", async () => {
    const content = await fakeHub(files);
    hubs.push(content);
    await useHub({ content: content.url, fault: () => ({ linked: "0".repeat(64) }) });
    expect(await failure()).toMatch(/^HUB_CORRUPT: .*expected the content \w{64}, the hub now has 0{64}/);
    expect(statSync(part()).size).toBe(0);
  });
});

describe("tokens", () => {
  it.each<[string, () => void]>([
    ["HF_TOKEN", () => vi.stubEnv("HF_TOKEN", "secret\n")],
    ["HUGGING_FACE_HUB_TOKEN", () => vi.stubEnv("HUGGING_FACE_HUB_TOKEN", "secret")],
    ["the file that `hf auth login` writes", () => writeFileSync(join(cache, "token"), "secret\n")],
    [
      "HF_TOKEN_PATH",
      () => {
        writeFileSync(join(cache, "mine"), "secret");
        vi.stubEnv("HF_TOKEN_PATH", join(cache, "mine"));
      },
    ],
  ])("%s is sent", async (_, set) => {
    set();
    const { tokens } = await useHub();
    await arrives();
    expect(new Set(tokens)).toEqual(new Set(["Bearer secret"]));
  });

  it("a repository that wants its terms accepted says so", async () => {
    const headers = { "x-error-code": "GatedRepo" };
    const gated = () => useHub({ fault: (file) => (file ? { status: 403, headers } : undefined) });
    await gated();
    expect(await failure()).toMatchInlineSnapshot(
      `"HUB_FORBIDDEN: owner/name: http://hub refuses access (status 403): it is gated. Accept the model's terms at http://hub/owner/name and set HF_TOKEN."`,
    );
    vi.stubEnv("HF_TOKEN", "secret");
    await gated();
    expect(await failure()).toMatch(/with the account of the token in HF_TOKEN\.$/);
  });

  it("a token that is not accepted is named by its place", async () => {
    writeFileSync(join(cache, "token"), "secret\n");
    const headers = { "x-error-message": "Invalid credentials in Authorization header" };
    await useHub({ status: 401, headers });
    expect(await failure()).toMatchInlineSnapshot(
      `"HUB_FORBIDDEN: owner/name: http://hub does not accept the token in <cache>/token (status 401 (Invalid credentials in Authorization header)). Make a new one, or unset it."`,
    );
  });

  it("a revision that is not there is told from a model that is not there", async () => {
    await useHub();
    const { code, message } = await errorOf(resolveCheckpoint("owner/name@v9"));
    expect([code, message]).toEqual([
      "HUB_NOT_FOUND",
      expect.stringMatching(/has the model, but no revision "v9"/),
    ]);
  });
});

describe("the disk", () => {
  it("is looked at before anything large is fetched", async () => {
    const hub = await useHub({ listed: { [large]: 2 ** 50 } });
    expect(await failure()).toMatch(
      /^DISK_FULL: owner\/name: 1125899\.91 GB are still to be downloaded, but there are [\d.]+ GB free in <cache>\/hub\/models--owner--name\. Free some space/,
    );
    expect(hub.requests.filter((request) => request.endsWith(large))).toEqual([]);
  });

  it("what is there of a file does not count twice", async () => {
    leavePart(weights);
    await useHub({ listed: { [large]: weights.length } });
    await arrives();
  });

  it.runIf(existsSync("/dev/full"))("full in the middle is an error; then it goes on", async () => {
    mkdirSync(blobs(), { recursive: true });
    symlinkSync("/dev/full", part());
    await useHub();
    expect(await failure()).toMatchInlineSnapshot(
      `"DISK_FULL: owner/name: there is no room left in <cache>/hub. What has arrived is kept: free some space and start it again."`,
    );
    expect(statSync(part()).isCharacterDevice()).toBe(true);
    rmSync(part());
    leavePart(weights.subarray(0, half));
    const hub = await useHub();
    await arrives();
    expect(hub.ranges).toEqual([`bytes=${half}-`]);
  });
});

it("a listing with paths that lead out of the snapshot does no harm", async () => {
  const odd = { ...files, "../../../escaped": Buffer.from("x"), "/etc/x": Buffer.from("x") };
  const hub = await fakeHub(odd);
  hubs.push(hub);
  vi.stubEnv("HF_ENDPOINT", hub.url);
  const { pullCheckpoint } = await import("../../../src/checkpoint/index.js");
  const { files: pulled, commit: at } = await pullCheckpoint("owner/name", { all: true });
  expect(pulled.map(({ path }) => path).sort()).toEqual(["config.json", large]);
  expect(at).toBe(commit);
  expect(existsSync(join(cache, "hub", "escaped"))).toBe(false);
});
