import { PersimmonError } from "../errors.js";

/**
 * Wire types of protobuf that a SentencePiece model can contain. Groups (3 and 4) are long dead and count as
 * damage.
 */
export const WireType = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/**
 * Reads protobuf's wire format, one field at a time, from a slice of a file. Every read is checked against
 * the end of the slice, so that a truncated or hostile file ends in a `TOKENIZER_CORRUPT` that names the
 * byte, never in garbage.
 *
 * ```ts
 * while (reader.next()) {
 *   if (reader.field === 1) … reader.message() … else reader.skip();
 * }
 * ```
 */
export class ProtobufReader {
  /** Number of the field that `next` found. */
  field = 0;
  /** Wire type of the field that `next` found. */
  wireType = 0;

  private readonly view: DataView;
  private position: number;
  private readonly end: number;

  /**
   * @param data the whole file, so that errors can name its bytes
   * @param source name of the file for error messages
   * @param start first byte of the message
   * @param end byte after the last of the message
   */
  constructor(
    readonly data: Uint8Array,
    readonly source: string,
    start = 0,
    end = data.length,
  ) {
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.position = start;
    this.end = end;
  }

  /** Byte of the file at which the reader stands. */
  get offset(): number {
    return this.position;
  }

  /** Steps to the next field; false at the end of the message. */
  next(): boolean {
    if (this.position >= this.end) return false;
    const start = this.position;
    const tag = this.varint();
    // A tag is a 32-bit number: 29 bits of field number and 3 of wire type.
    if (tag > 0xffffffff) throw this.corrupt(`a field tag of more than 32 bits`, start);
    this.field = Math.floor(tag / 8);
    this.wireType = tag % 8;
    if (this.field === 0) throw this.corrupt("field number 0, which protobuf does not have", start);
    return true;
  }

  /** The value of a varint field that holds an unsigned number up to 2^53. */
  varint(): number {
    const start = this.position;
    let value = 0;
    let scale = 1;
    for (let index = 0; index < 10; index++) {
      if (this.position >= this.end)
        throw this.corrupt("a number that runs past the end of its message", start);
      const byte = this.data[this.position++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw this.corrupt("a number of more than 10 bytes", start);
  }

  /** A varint field read as protobuf's int32: negative numbers are stored as 64-bit two's complement. */
  int32(): number {
    this.expect(WireType.varint);
    const start = this.position;
    let low = 0;
    for (let index = 0; index < 10; index++) {
      if (this.position >= this.end)
        throw this.corrupt("a number that runs past the end of its message", start);
      const byte = this.data[this.position++]!;
      if (index < 5) low |= (byte & 0x7f) << (7 * index);
      if (byte < 0x80) return low | 0;
    }
    throw this.corrupt("a number of more than 10 bytes", start);
  }

  /** A varint field read as protobuf's bool. */
  bool(): boolean {
    this.expect(WireType.varint);
    return this.varint() !== 0;
  }

  /** A 32-bit little-endian float field. */
  float(): number {
    this.expect(WireType.fixed32);
    const start = this.take(4, "a float");
    return this.view.getFloat32(start, true);
  }

  /** A length-delimited field, as the bytes of the file that it covers (no copy). */
  bytes(): Uint8Array {
    const { start, end } = this.range();
    return this.data.subarray(start, end);
  }

  /** A length-delimited field, read as a message of its own. */
  message(): ProtobufReader {
    const { start, end } = this.range();
    return new ProtobufReader(this.data, this.source, start, end);
  }

  /** A length-delimited field that must be UTF-8 text. */
  string(): string {
    const { start, end } = this.range();
    try {
      return strictUtf8.decode(this.data.subarray(start, end));
    } catch (cause) {
      throw this.corrupt(`text that is not UTF-8 in field ${this.field}`, start, { cause });
    }
  }

  /** Passes over the value of a field that nobody reads. */
  skip(): void {
    switch (this.wireType) {
      case WireType.varint:
        this.varint();
        return;
      case WireType.fixed64:
        this.take(8, "a 64-bit value");
        return;
      case WireType.bytes:
        this.range();
        return;
      case WireType.fixed32:
        this.take(4, "a 32-bit value");
        return;
      default:
        throw this.corrupt(
          `wire type ${this.wireType} (field ${this.field}), which no SentencePiece model has`,
        );
    }
  }

  /** An error that names the file and the byte. */
  corrupt(found: string, byte = this.position, options?: { cause?: unknown }): PersimmonError {
    return new PersimmonError(
      "TOKENIZER_CORRUPT",
      `${this.source} is not a whole SentencePiece model: found ${found} at byte ${byte} of ${this.data.length}. ` +
        "Copy or download the file again.",
      options,
    );
  }

  /** Start and end of a length-delimited field in the file. */
  range(): { start: number; end: number } {
    this.expect(WireType.bytes);
    const at = this.position;
    const length = this.varint();
    if (length > this.end - this.position) {
      throw this.corrupt(
        `field ${this.field} of ${length} bytes with ${this.end - this.position} bytes left in its message`,
        at,
      );
    }
    const start = this.position;
    this.position += length;
    return { start, end: this.position };
  }

  private expect(wireType: number): void {
    if (this.wireType !== wireType) {
      throw this.corrupt(`field ${this.field} with wire type ${this.wireType} where ${wireType} belongs`);
    }
  }

  private take(count: number, what: string): number {
    const start = this.position;
    if (count > this.end - start) throw this.corrupt(`${what} that runs past the end of its message`, start);
    this.position += count;
    return start;
  }
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
