import { PersimmonError } from "../../errors.js";
import type { ReadableAt } from "../file.js";
import type { RemoteBlob } from "./blob_download.js";
import { Checksum } from "./checksum.js";
import { type HubClient, whole } from "./client.js";
import { HubFailure } from "./failure.js";
import { withRetries } from "./patience.js";

/** A file on the hub that is read in parts, by requests for ranges. */
export class RemoteFile implements ReadableAt {
  readonly path: string;
  readonly size: number;

  constructor(
    private readonly client: HubClient,
    private readonly blob: RemoteBlob,
  ) {
    this.path = blob.what;
    this.size = blob.size;
  }

  /** @throws PersimmonError CHECKPOINT_TRUNCATED when the range passes the end of the file; HubFailure */
  async read(position: number, length: number, what: string): Promise<Buffer> {
    if (position + length > this.size) {
      throw new PersimmonError(
        "CHECKPOINT_TRUNCATED",
        `${this.path}: expected ${what} in bytes ${position} to ${position + length}, but the file has ${this.size} bytes.`,
      );
    }
    const range = `bytes=${position}-${position + length - 1}`;
    const expected = `bytes ${position}-${position + length - 1}/${this.size}`;
    return withRetries({ signal: this.client.signal, onPause: undefined }, async () => {
      const answer = await this.client.open(this.blob.url, { range, "accept-encoding": "identity" });
      const found = answer.headers.get("content-range");
      if (answer.status !== 206 || found !== expected) {
        answer.cancel(); // it may be the whole of ten gigabytes
        const sent = answer.status === 206 ? found : "the whole file";
        throw new HubFailure(`${this.path}: expected ${expected}, was sent ${sent}`, { mayPass: false });
      }
      const bytes = await whole(answer, length);
      if (bytes.length === length) return bytes;
      throw new HubFailure(`the connection ended after ${bytes.length} of ${length} bytes`, {
        mayPass: true,
      });
    });
  }
}

/** The content of a small file, checked. @throws PersimmonError HUB_CORRUPT; HubFailure */
export async function readSmallFile(client: HubClient, blob: RemoteBlob, largest: number): Promise<Buffer> {
  if (blob.size > largest) {
    throw new PersimmonError(
      "HUB_CORRUPT",
      `${blob.what}: expected at most ${largest} bytes, found ${blob.size}.`,
    );
  }
  const bytes = await withRetries({ signal: client.signal, onPause: undefined }, async () =>
    whole(await client.open(blob.url, { "accept-encoding": "identity" }), blob.size),
  );
  const sum = new Checksum(blob.id, blob.size);
  sum.update(bytes);
  if (sum.matches()) return bytes;
  throw new PersimmonError(
    "HUB_CORRUPT",
    `${blob.what}: the received bytes are not those that the hub lists. Try again.`,
  );
}
