/** A part of a file that will be read. */
export interface FilePart {
  bytes: number;
  /** Brings it into memory. */
  fetch(): Promise<void>;
}

/** Bytes that are brought into memory before their turn: enough to keep a disk busy, little beside any model. */
const bytesAhead = 2 ** 28;

/** Parts that may be under way at once, of which Node's pool of threads runs four. */
const partsAhead = 16;

/** Brings parts of files into memory a little before they are used, so that the disk works while others are computed with. */
export class ReadAhead {
  readonly #parts: readonly FilePart[];
  readonly #underWay: Promise<void>[] = [];
  #bytes = 0;
  #reached = 0;

  /** @param parts in the order in which they are used */
  constructor(parts: readonly FilePart[]) {
    this.#parts = parts;
  }

  /** Waits for the next part, while those after it are on their way. */
  async next(): Promise<void> {
    this.#start();
    const index = this.#reached++;
    await this.#underWay[index];
    this.#bytes -= this.#parts[index].bytes;
    this.#start();
  }

  #start(): void {
    while (
      this.#underWay.length < this.#parts.length &&
      (this.#underWay.length === this.#reached ||
        (this.#bytes < bytesAhead && this.#underWay.length - this.#reached < partsAhead))
    ) {
      const part = this.#parts[this.#underWay.length];
      this.#bytes += part.bytes;
      const fetched = part.fetch();
      fetched.catch(() => {}); // thrown where it is waited for
      this.#underWay.push(fetched);
    }
  }
}
