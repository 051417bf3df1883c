import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { PersimmonError } from "../../errors.js";
import type { FileRange } from "../file.js";
import { readTar } from "./tar.js";

/** The file that says which iteration a release holds; it marks the folder of one. */
export const TRACKER = "latest_checkpointed_iteration.txt";

const MOST_ENTRIES = 10_000;

/** The files of a release folder, by their path in it: those at its top and those two folders below. */
export async function filesOfFolder(directory: string): Promise<Map<string, FileRange>> {
  const found = new Map<string, FileRange>();
  let entries = 0;
  const walk = async (path: string, depth: number) => {
    for (const entry of await readdir(join(directory, path), { withFileTypes: true })) {
      if (++entries > MOST_ENTRIES) throw tooMany(directory);
      const name = path === "" ? entry.name : `${path}/${entry.name}`;
      const file = join(directory, name);
      const status = await stat(file).catch(() => undefined); // undefined: a link to nothing
      if (status?.isFile()) found.set(name, { file, offset: 0, length: status.size, label: file });
      else if (status?.isDirectory() && depth > 0) await walk(name, depth - 1);
    }
  };
  await walk("", 2);
  return found;
}

function tooMany(directory: string): PersimmonError {
  const message = `expected the few files of a release beside ${TRACKER}, found more than ${MOST_ENTRIES}`;
  return new PersimmonError(
    "RELEASE_INVALID",
    `${directory}: ${message}. Give the folder of the release alone.`,
  );
}

/** The files of a release in a tar, by their path in the folder that holds the tracker. */
export async function filesOfTar(path: string): Promise<Map<string, FileRange>> {
  const members = await readTar(path);
  const trackers = [...members.keys()].filter((name) => name === TRACKER || name.endsWith(`/${TRACKER}`));
  if (trackers.length !== 1) {
    const message = `expected one ${TRACKER} in it, as in Adept's 8b_chat_model_release.tar, found ${trackers.length}`;
    throw new PersimmonError(
      "RELEASE_INVALID",
      `${path}: ${message}. Other archives: unpack them, and give the folder.`,
    );
  }
  const prefix = trackers[0].slice(0, -TRACKER.length);
  const inside = [...members].filter(([name]) => name.startsWith(prefix));
  return new Map(inside.map(([name, range]) => [name.slice(prefix.length), range]));
}
