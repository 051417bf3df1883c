import { TextDecoder } from "node:util";
import { PersimmonError } from "../../errors.js";
import { type FileRange, PositionalFile } from "../file.js";
import { readSize, readTarHeader, TAR_BLOCK, tarInvalid } from "./tar_header.js";

/** First bytes of what tars are compressed with, and the program that undoes it. */
const COMPRESSIONS: [magic: string, program: string][] = [
  ["\x1f\x8b", "gunzip"],
  ["BZh", "bunzip2"],
  ["\xfd7zXZ", "unxz"],
  ["\x28\xb5\x2f\xfd", "unzstd"],
];
// The release has five members.
const MOST_MEMBERS = 10_000;
const LARGEST_EXTENSION = 2 ** 20;
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Whether a path is named as a tar, compressed or not: such a file is opened as it is. */
export function isTarName(path: string): boolean {
  return /\.(tar|tar\.(gz|bz2|xz|zst)|tgz)$/i.test(path);
}

/**
 * Finds the files in a tar archive, by name: where each lies. Nothing but headers is read. POSIX ustar with pax headers
 * (IEEE 1003.1, pax) and GNU's base-256 sizes and long names: a member of more than 8 GB has one or the other.
 *
 * @throws PersimmonError TAR_UNSUPPORTED (compressed, sparse), TAR_INVALID, CHECKPOINT_TRUNCATED, CHECKPOINT_UNREADABLE
 */
export function readTar(path: string): Promise<Map<string, FileRange>> {
  return PositionalFile.use(path, async (file) => {
    await checkNotCompressed(file);
    const members = new Map<string, FileRange>();
    let extension: Extension = {};
    for (let position = 0, count = 0; position + TAR_BLOCK <= file.size; count++) {
      if (count >= MOST_MEMBERS) throw tarInvalid(path, `it has more than ${MOST_MEMBERS} members`);
      const header = readTarHeader(await file.read(position, TAR_BLOCK, "a tar header"), position, path);
      if (header === undefined) break;
      const size = extension.size ?? header.size;
      const offset = position + TAR_BLOCK;
      if (offset + size > file.size) throw truncated(path, header.name, offset + size, file.size);
      position = offset + Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
      if ("xgLK".includes(header.type)) {
        extension = await readExtension(file, header.type, offset, size, extension);
        continue;
      }
      if (header.type === "S" || extension.sparse) {
        const what = `member "${header.name}" is sparse: unpack the archive, and give the folder`;
        throw new PersimmonError("TAR_UNSUPPORTED", `${path}: ${what}.`);
      }
      const name = (extension.name ?? header.name).replace(/^(\.?\/)+/, "");
      extension = {};
      if (header.type !== "0" && header.type !== "7") continue; // directories, links, devices
      if (members.has(name)) throw tarInvalid(path, `two members are called ${JSON.stringify(name)}`);
      members.set(name, { file: path, offset, length: size, label: `${path} (${name})` });
    }
    return members;
  });
}

async function checkNotCompressed(file: PositionalFile): Promise<void> {
  const start = (await file.read(0, Math.min(8, file.size), "the start of a tar")).toString("latin1");
  const found = COMPRESSIONS.find(([magic]) => start.startsWith(magic));
  if (found === undefined) return;
  throw new PersimmonError(
    "TAR_UNSUPPORTED",
    `${file.path}: found a compressed file, in which no weight can be read in place. Unpack it first (${found[1]}), and give the .tar or the folder.`,
  );
}

function truncated(path: string, name: string, end: number, size: number): PersimmonError {
  const what = `member ${JSON.stringify(name)} ends at byte ${end}, but the file has ${size} bytes`;
  return new PersimmonError(
    "CHECKPOINT_TRUNCATED",
    `${path}: ${what}. It was probably not downloaded completely: fetch it again.`,
  );
}

/** What a member before another says about it. */
interface Extension {
  name?: string;
  size?: number;
  sparse?: boolean;
}

/** A pax header (x), which is about the next member, a global one (g), or a long name (L) or link (K) of GNU tar. */
async function readExtension(
  file: PositionalFile,
  type: string,
  offset: number,
  size: number,
  before: Extension,
): Promise<Extension> {
  if (size > LARGEST_EXTENSION)
    throw tarInvalid(file.path, `the extended header at byte ${offset} has ${size} bytes`);
  const bytes = await file.read(offset, size, "an extended tar header");
  if (type === "g" || type === "K") return before;
  if (type === "L") return { ...before, name: bytes.toString("utf8").replace(/\0.*$/s, "") };
  const records = paxRecords(bytes, file.path, offset);
  const [name, length] = [records.get("path"), records.get("size")];
  return {
    ...before,
    ...(name !== undefined && { name }),
    ...(length !== undefined && { size: readSize(length, 10, file.path, offset) }),
    ...([...records.keys()].some((key) => key.startsWith("GNU.sparse")) && { sparse: true }),
  };
}

/** Records of the form `length key=value\n`, where the length counts itself. */
function paxRecords(bytes: Buffer, path: string, offset: number): Map<string, string> {
  const damaged = () => tarInvalid(path, `the extended header at byte ${offset} is damaged`);
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const digits = /^\d{1,7} /.exec(bytes.toString("latin1", at, at + 8))?.[0];
    const end = at + Number(digits);
    if (digits === undefined || end > bytes.length || end <= at + digits.length || bytes[end - 1] !== 0x0a) {
      throw damaged();
    }
    const record = bytes.subarray(at + digits.length, end - 1);
    const equals = record.indexOf("=");
    if (equals < 1) throw damaged();
    try {
      records.set(decoder.decode(record.subarray(0, equals)), decoder.decode(record.subarray(equals + 1)));
    } catch {
      throw damaged();
    }
    at = end;
  }
  return records;
}
