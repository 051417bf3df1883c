import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { isTarName } from "../checkpoint/index.js";
import { PersimmonError } from "../errors.js";

/** MD5 of the archives that Adept published, from the README of persimmon-ai-labs/adept-inference. */
const KNOWN: Record<string, string> = {
  cd0320cba9efad9ccd18e9ec4d16ae1b: "8b_base_model_release.tar",
  "663aeace07269c44e90f4e8bcd07f32a": "8b_chat_model_release.tar",
};

/** The name of Adept's archive with this MD5. */
export function releaseOfMd5(md5: string): string | undefined {
  return KNOWN[md5];
}

/**
 * Reads a whole .tar and says which of Adept's archives it is.
 * @throws PersimmonError RELEASE_UNKNOWN with the MD5 that it has, OPTION_INVALID for what is no tar
 */
export async function verifyRelease(
  path: string,
  signal: AbortSignal | undefined,
  onProgress: (loaded: number, total: number) => void,
): Promise<string> {
  if (!isTarName(path)) {
    throw new PersimmonError("OPTION_INVALID", `verify takes the .tar of Adept's release, got ${path}`);
  }
  const { size } = await stat(path);
  const hash = createHash("md5");
  let read = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20, signal })) {
    hash.update(chunk);
    read += chunk.length;
    onProgress(read, size);
  }
  const md5 = hash.digest("hex");
  const name = releaseOfMd5(md5);
  if (name !== undefined) return name;
  const known = Object.entries(KNOWN).map(([sum, of]) => `${of} has ${sum}`);
  throw new PersimmonError(
    "RELEASE_UNKNOWN",
    `${path}: its MD5 is ${md5}, which is none of Adept's archives: ${known.join(", ")}. Fetch it again, or convert without verifying.`,
  );
}
