import { TextDecoder } from "node:util";
import { PersimmonError } from "../../errors.js";

const LONGEST_LINE = 1024;
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Reads the arguments of pickle opcodes in order. Every method throws PICKLE_INVALID past the end. */
export class ByteReader {
  position = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly where: string,
  ) {}

  byte(): number {
    return this.bytes[this.advance(1)];
  }

  uint16(): number {
    return this.bytes.readUInt16LE(this.advance(2));
  }

  int32(): number {
    return this.bytes.readInt32LE(this.advance(4));
  }

  uint32(): number {
    return this.bytes.readUInt32LE(this.advance(4));
  }

  doubleBigEndian(): number {
    return this.bytes.readDoubleBE(this.advance(8));
  }

  /** A little-endian two's complement integer, as Python writes what passes 31 bits. */
  longInteger(length: number): number {
    if (length > 8) throw this.invalid(`an integer has ${length} bytes`);
    const start = this.advance(length);
    if (length === 0) return 0;
    let value = 0n;
    for (let index = length - 1; index >= 0; index--)
      value = (value << 8n) | BigInt(this.bytes[start + index]);
    const signed = Number(BigInt.asIntN(length * 8, value));
    if (!Number.isSafeInteger(signed)) throw this.invalid(`the integer ${signed} is too large`);
    return signed;
  }

  text(length: number): string {
    const start = this.advance(length);
    try {
      return decoder.decode(this.bytes.subarray(start, start + length));
    } catch (cause) {
      throw this.invalid("a text is not UTF-8", cause);
    }
  }

  /** Text up to a newline, as the module and the name of a global are written. */
  line(): string {
    const end = this.bytes.subarray(this.position, this.position + LONGEST_LINE).indexOf(0x0a);
    if (end < 0) throw this.invalid("the name of a global does not end");
    const line = this.text(end);
    this.advance(1);
    return line;
  }

  private advance(length: number): number {
    const start = this.position;
    if (length > this.bytes.length - start) throw this.invalid("it ends in the middle of a value");
    this.position += length;
    return start;
  }

  private invalid(message: string, cause?: unknown): PersimmonError {
    const at = `the pickle is damaged near byte ${this.position}: ${message}`;
    return new PersimmonError("PICKLE_INVALID", `${this.where}: ${at}.`, { cause });
  }
}
