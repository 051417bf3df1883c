import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

type Entry = [session: number, line: number, input: string];

// Small enough to read at start in a few milliseconds.
const KEPT_ENTRIES = 1000;
// Longer inputs hold data rather than code; the file stays small without them.
const LONGEST_KEPT = 64 * 1024;

/** The inputs of this and earlier sessions, kept in a small file of JSON lines. */
export class History {
  readonly #entries: Entry[];
  readonly #outputs = new Map<number, string>();
  readonly #file: string | undefined;
  readonly #session: number;

  /** @param file where inputs are kept; without one they are forgotten with the process */
  constructor(file?: string) {
    this.#file = file;
    const { entries, intact } = file ? read(file) : { entries: [], intact: true };
    this.#entries = entries;
    this.#session = (this.#entries.at(-1)?.[0] ?? 0) + 1;
    if (file && (!intact || entries.length > KEPT_ENTRIES)) {
      entries.splice(0, Math.max(0, entries.length - KEPT_ENTRIES));
      attempt(() => writeFileSync(file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join("")));
    }
  }

  add(line: number, input: string): void {
    const entry: Entry = [this.#session, line, input];
    this.#entries.push(entry);
    const file = this.#file;
    if (!file || input.length > LONGEST_KEPT) return;
    attempt(() => {
      mkdirSync(dirname(file), { recursive: true });
      appendFileSync(file, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
    });
  }

  /** The text of a result, for requests with `output: true`; known for this session only. */
  addOutput(line: number, text: string): void {
    this.#outputs.set(line, text);
  }

  /** Answers a history_request. */
  find(request: Record<string, unknown>): unknown[] {
    return this.#select(request).map(([session, line, input]) => {
      if (!request.output) return [session, line, input];
      const output = session === this.#session ? this.#outputs.get(line) : undefined;
      return [session, line, [input, output ?? null]];
    });
  }

  #select(request: Record<string, unknown>): Entry[] {
    const n = numberOf(request.n, 0);
    if (request.hist_access_type === "range") {
      const asked = numberOf(request.session, 0);
      const session = asked > 0 ? asked : this.#session + asked;
      const start = numberOf(request.start, 0);
      const stop = numberOf(request.stop, Number.POSITIVE_INFINITY);
      return this.#entries.filter(([s, line]) => s === session && line >= start && line < stop);
    }
    if (request.hist_access_type === "search") {
      const pattern = globPattern(typeof request.pattern === "string" ? request.pattern : "*");
      let found = this.#entries.filter(([, , input]) => pattern.test(input));
      if (request.unique) {
        const newest = new Map(found.map((entry) => [entry[2], entry]));
        found = found.filter((entry) => newest.get(entry[2]) === entry);
      }
      return n > 0 ? found.slice(-n) : found;
    }
    return request.hist_access_type === "tail" && n > 0 ? this.#entries.slice(-n) : [];
  }
}

function numberOf(value: unknown, fallback: number): number {
  return typeof value === "number" && Number.isFinite(value) ? value : fallback;
}

/**
 * `*` stands for any text, `?` for one character, `[abc]`, `[a-c]` and `[^a]` for one of a set; the pattern covers the
 * whole input.
 */
function globPattern(glob: string): RegExp {
  const source = glob.replace(/\[(\^?)(\]?[^\]]*)\]|[\s\S]/g, (part, not?: string, set?: string) => {
    if (set) return `[${not}${set.replace(/[\\[\]]/g, "\\$&")}]`;
    if (part === "*") return "[\\s\\S]*";
    if (part === "?") return "[\\s\\S]";
    return part.replace(/[.+^${}()|[\]\\/-]/, "\\$&");
  });
  try {
    return new RegExp(`^${source}$`);
  } catch {
    return /^$/; // a set such as [z-a]
  }
}

/** The entries of a file, and whether it holds nothing else: a kernel that was killed may have left half a line. */
function read(file: string): { entries: Entry[]; intact: boolean } {
  let text = "";
  attempt(() => {
    text = readFileSync(file, "utf8");
  });
  const lines = text.split("\n").filter(Boolean);
  const entries = lines.map(parse).filter((entry) => entry !== undefined);
  return { entries, intact: entries.length === lines.length && (text === "" || text.endsWith("\n")) };
}

function parse(line: string): Entry | undefined {
  try {
    const entry = JSON.parse(line) as Entry;
    const valid = Array.isArray(entry) && entry.length === 3 && typeof entry[2] === "string";
    return valid && Number.isInteger(entry[0]) ? entry : undefined;
  } catch {
    return undefined;
  }
}

/** A history that cannot be written is no reason to refuse a cell. */
function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // read-only home, full disk
  }
}
