import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

type Entry = [session: number, line: number, input: string];

// Small enough to read at start in a few milliseconds.
const KEPT_ENTRIES = 1000;

/** The inputs of this and earlier sessions, kept in a small file of JSON lines. */
export class History {
  readonly #entries: Entry[];
  readonly #outputs = new Map<number, string>();
  readonly #file: string | undefined;
  readonly #session: number;

  /** @param file where inputs are kept; without one they are forgotten with the process */
  constructor(file?: string) {
    this.#file = file;
    this.#entries = file ? read(file) : [];
    this.#session = (this.#entries.at(-1)?.[0] ?? 0) + 1;
    if (file && this.#entries.length > KEPT_ENTRIES) {
      this.#entries.splice(0, this.#entries.length - KEPT_ENTRIES);
      attempt(() => writeFileSync(file, this.#entries.map((entry) => `${JSON.stringify(entry)}\n`).join("")));
    }
  }

  add(line: number, input: string): void {
    const entry: Entry = [this.#session, line, input];
    this.#entries.push(entry);
    const file = this.#file;
    if (!file) return;
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
    const n = Number(request.n ?? 0);
    if (request.hist_access_type === "range") {
      const asked = Number(request.session ?? 0);
      const session = asked > 0 ? asked : this.#session + asked;
      const start = Number(request.start ?? 0);
      const stop =
        request.stop === undefined || request.stop === null ? Number.POSITIVE_INFINITY : Number(request.stop);
      return this.#entries.filter(([s, line]) => s === session && line >= start && line < stop);
    }
    if (request.hist_access_type === "search") {
      const pattern = globPattern(String(request.pattern ?? "*"));
      let found = this.#entries.filter(([, , input]) => pattern.test(input));
      if (request.unique) found = [...new Map(found.map((entry) => [entry[2], entry])).values()];
      return n > 0 ? found.slice(-n) : found;
    }
    return n > 0 ? this.#entries.slice(-n) : [];
  }
}

/** `*` stands for any text and `?` for one character; the pattern covers the whole input. */
function globPattern(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", "[\\s\\S]*")
    .replaceAll("?", "[\\s\\S]");
  return new RegExp(`^${source}$`);
}

function read(file: string): Entry[] {
  try {
    return readFileSync(file, "utf8")
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Entry)
      .filter((entry) => Array.isArray(entry) && entry.length === 3 && typeof entry[2] === "string");
  } catch {
    return [];
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
