import { rename, rm } from "node:fs/promises";
import { PersimmonError } from "../../errors.js";
import type { ContentId } from "./checksum.js";
import type { Answer, HubClient } from "./client.js";
import { HubFailure } from "./failure.js";
import { GrowingFile } from "./growing_file.js";
import { withRetries } from "./patience.js";

/** A file to be fetched, and what is known of it. */
export interface RemoteBlob {
  url: string;
  size: number;
  id: ContentId;
  /** For errors: hub, repository and path. */
  what: string;
}

/** What is told while a file is being fetched. */
export interface BlobReports {
  /** Bytes of it that are there. */
  onBytes: (bytes: number) => void;
  /** Why nothing comes. */
  onPause: (reason: string) => void;
}

/**
 * Fetches a file to `path`, which it gets when its content is known to be right; until then it grows in `<path>.incomplete`, as with
 * huggingface_hub before its version 2. What lies there is gone on with. One process at a time may do this for a path.
 *
 * @throws PersimmonError HUB_CORRUPT; HubFailure; errors of the file system. The part stays, unless it is whole and wrong
 */
export async function downloadBlob(
  client: HubClient,
  blob: RemoteBlob,
  path: string,
  { onBytes, onPause }: BlobReports,
): Promise<void> {
  const part = `${path}.incomplete`;
  await GrowingFile.use(part, blob, onBytes, async (growing) => {
    await growing.takeUp(client.signal);
    const retries = { signal: client.signal, onPause, progress: () => growing.furthest };
    const receive = () => receiveSome(client, blob, growing);
    await withRetries(retries, receive);
    let isRight = growing.matches();
    if (!isRight && growing.isContinued) {
      onPause("what was there of it is something else; fetching it anew");
      await growing.restart();
      await withRetries(retries, receive);
      isRight = growing.matches();
    }
    if (!isRight) {
      await rm(part, { force: true });
      const name = blob.id.algorithm === "sha256" ? "SHA-256" : "git hash";
      throw corrupt(blob, `the received bytes do not have the ${name} that the hub lists`);
    }
    await growing.sync();
  });
  await rename(part, path);
}

/** One connection, unless all is there: writes what it brings. Throws HubFailure when that is not all. */
async function receiveSome(client: HubClient, blob: RemoteBlob, growing: GrowingFile): Promise<void> {
  const from = growing.position;
  if (from === blob.size) return;
  const headers: Record<string, string> = { "accept-encoding": "identity" };
  if (from > 0) headers.range = `bytes=${from}-`;
  const answer = await client.open(blob.url, headers).catch(async (error: unknown) => {
    // What is there is longer than what the hub has, it says.
    if (error instanceof HubFailure && error.status === 416 && from > 0) await growing.restart();
    throw error instanceof HubFailure && error.status === 416 ? again("no such range") : error;
  });
  try {
    await checkAnswer(answer, blob, growing);
    for await (const chunk of answer.chunks()) {
      if (growing.position + chunk.byteLength > blob.size)
        throw corrupt(blob, `expected ${blob.size} bytes, received more`);
      await growing.append(chunk);
    }
  } finally {
    answer.cancel();
  }
  if (growing.position < blob.size)
    throw again(`the connection ended after ${growing.position} of ${blob.size} bytes`);
}

/** Whether what follows belongs behind what is there; where it does not, the file begins anew. */
async function checkAnswer(answer: Answer, blob: RemoteBlob, growing: GrowingFile): Promise<void> {
  const { status, headers, linked } = answer;
  const from = growing.position;
  const listed = linked.etag === undefined ? undefined : plainTag(linked.etag);
  if (listed !== undefined && listed !== blob.id.hex)
    throw corrupt(blob, `expected the content ${blob.id.hex}, the hub now has ${listed}`);
  const tag = headers.get("etag") ?? undefined;
  const isSame = growing.tag === undefined || tag === undefined || growing.tag === tag;
  growing.tag = tag;
  const isEncoded = !/^(identity)?$/.test(headers.get("content-encoding") ?? "");
  if (status === 206) {
    const [, start, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers.get("content-range") ?? "") ?? [];
    if (from > 0 && isSame && !isEncoded && Number(start) === from && Number(total) === blob.size) return;
    await growing.restart();
    const found = headers.get("content-range") ?? "no range";
    const expected = `bytes ${from}-${blob.size - 1}/${blob.size}`;
    throw again(isSame ? `expected ${expected}, was sent ${found}` : "the file has changed on the server");
  }
  const length = isEncoded ? null : headers.get("content-length");
  const size = linked.size ?? (length === null ? blob.size : Number(length));
  if (size !== blob.size) throw corrupt(blob, `expected ${blob.size} bytes, the server announces ${size}`);
  if (from > 0) await growing.restart(); // it sends all of it
}

/** `W/"x"` and `"x"` are x. */
function plainTag(tag: string): string {
  return tag.replace(/^W\//, "").replaceAll('"', "");
}

function again(message: string): HubFailure {
  return new HubFailure(message, { mayPass: true });
}

function corrupt({ what }: RemoteBlob, message: string): PersimmonError {
  return new PersimmonError("HUB_CORRUPT", `${what}: ${message}. Try again.`);
}
