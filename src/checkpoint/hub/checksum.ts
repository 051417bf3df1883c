import { createHash } from "node:crypto";

/** The id of a file's content: SHA-256 of a large file (git LFS), the SHA-1 of a git blob of a small one. */
export interface ContentId {
  algorithm: "sha256" | "git-sha1";
  /** Lower-case hexadecimal digits: the name of the blob in the cache, and the file's ETag. */
  hex: string;
}

/** What a listing says of a file's content; undefined where it is no id that can be checked. */
export function contentId(entry: { oid?: string; lfs?: { oid: string } }): ContentId | undefined {
  if (entry.lfs !== undefined) {
    const hex = entry.lfs.oid;
    return /^[0-9a-f]{64}$/.test(hex) ? { algorithm: "sha256", hex } : undefined;
  }
  const hex = entry.oid ?? "";
  return /^[0-9a-f]{40}$/.test(hex) ? { algorithm: "git-sha1", hex } : undefined;
}

/** Sums up a file of a known size piece by piece. */
export class Checksum {
  readonly #hash;

  constructor(
    readonly id: ContentId,
    size: number,
  ) {
    this.#hash = createHash(id.algorithm === "sha256" ? "sha256" : "sha1");
    // A git blob is hashed behind a header of its own.
    if (id.algorithm === "git-sha1") this.#hash.update(`blob ${size}\0`);
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** Whether all that was given is the content; it can be asked once. */
  matches(): boolean {
    return this.#hash.digest("hex") === this.id.hex;
  }
}
