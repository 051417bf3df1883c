import { PersimmonError } from "../errors.js";

/**
 * The longest key that a rule may have, in bytes. SentencePiece's own rules stay below 40; the bound keeps a
 * damaged array, which can run in circles, from turning a long text into quadratic work.
 */
const MAX_KEY_BYTES = 256;

/** What `Charsmap.match` found. */
export interface CharsmapMatch {
  /** Bytes of text that the rule covers; 0 when no rule matched. */
  length: number;
  /** First byte of the replacement in `Charsmap.replacements`. */
  start: number;
  /** Byte after the last of the replacement. */
  end: number;
}

/**
 * SentencePiece's compiled replacement rules ("precompiled_charsmap"): a little-endian uint32 with the size
 * of the trie, a Darts double array of uint32 units, and the replacements as zero-terminated UTF-8 at the
 * offsets that are the trie's values. The rule with the longest key wins.
 *
 * A unit holds, as in darts-clone: bits 0-7 and 31 the label, bit 8 "a value follows", bit 9 "the offset is
 * shifted by 8", bits 10-30 the offset; the value itself sits in a unit of its own in bits 0-30.
 */
export class Charsmap {
  readonly replacements: Uint8Array;
  private readonly units: Uint32Array;

  /**
   * @param blob the charsmap as the file has it, not empty
   * @param source name of the file for error messages
   * @throws PersimmonError `TOKENIZER_CORRUPT` when the sizes do not fit each other
   */
  constructor(
    blob: Uint8Array,
    private readonly source: string,
  ) {
    const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
    const trieBytes = blob.length > 4 ? view.getUint32(0, true) : 0;
    if (trieBytes < 4 || trieBytes % 4 !== 0 || trieBytes > blob.length - 4) {
      throw this.corrupt(
        `its trie takes ${trieBytes} bytes of a charsmap of ${blob.length} bytes; expected a multiple of 4 that fits`,
      );
    }
    this.units = new Uint32Array(trieBytes / 4);
    for (let index = 0; index < this.units.length; index++) {
      this.units[index] = view.getUint32(4 + index * 4, true);
    }
    this.replacements = blob.subarray(4 + trieBytes);
    if (this.replacements.length > 0 && this.replacements.at(-1) !== 0) {
      throw this.corrupt("its last replacement is not terminated by a zero byte");
    }
  }

  /**
   * Finds the rule with the longest key at a position.
   *
   * @param text UTF-8 text
   * @param start position in `text`
   * @param match overwritten with what was found
   */
  match(text: Uint8Array, start: number, match: CharsmapMatch): void {
    const { units } = this;
    match.length = 0;
    let value = -1;
    let node = offsetOf(units[0]!);
    const limit = Math.min(text.length, start + MAX_KEY_BYTES);
    for (let at = start; at < limit; at++) {
      const byte = text[at]!;
      // A zero byte leads to the value's own unit in a double array, so no key can contain one.
      if (byte === 0) break;
      node = (node ^ byte) >>> 0;
      if (node >= units.length) break;
      const unit = units[node]!;
      if ((unit & LABEL_MASK) >>> 0 !== byte) break;
      node = (node ^ offsetOf(unit)) >>> 0;
      if ((unit & HAS_VALUE) !== 0) {
        if (node >= units.length)
          throw this.corrupt(`unit ${node} of ${units.length} holds the value of a rule`);
        value = units[node]! & VALUE_MASK;
        match.length = at - start + 1;
      }
    }
    if (match.length === 0) return;
    if (value >= this.replacements.length) {
      throw this.corrupt(
        `a rule points to byte ${value} of ${this.replacements.length} bytes of replacements`,
      );
    }
    match.start = value;
    match.end = this.replacements.indexOf(0, value);
  }

  private corrupt(found: string): PersimmonError {
    return new PersimmonError(
      "TOKENIZER_CORRUPT",
      `${this.source}: its normalisation rules (precompiled_charsmap) are damaged: ${found}. Download the file again.`,
    );
  }
}

const LABEL_MASK = 0x800000ff;
const HAS_VALUE = 1 << 8;
const VALUE_MASK = 0x7fffffff;

/** Distance from a unit to its children. */
function offsetOf(unit: number): number {
  return ((unit >>> 10) << ((unit & (1 << 9)) >>> 6)) >>> 0;
}
