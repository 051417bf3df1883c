import fc from "fast-check";

/** A change of bytes; positions count modulo the length, so that every change fits every file. */
export type Mutation =
  | { kind: "flip"; at: number; bits: number }
  | { kind: "number"; at: number; width: 1 | 2 | 4 | 8; value: bigint }
  | { kind: "text"; at: number; text: string }
  | { kind: "digits"; at: number; text: string }
  | { kind: "delete" | "repeat"; at: number; length: number }
  | { kind: "cut"; at: number };

const position = fc.nat({ max: 2 ** 30 });
const extremes = [
  0n,
  1n,
  127n,
  128n,
  255n,
  256n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 40n,
  2n ** 53n,
];
const numbers = fc.constantFrom(...extremes, 2n ** 63n, 2n ** 64n - 1n);
const opcodes = [
  "(",
  ")",
  "}",
  "]",
  "Q",
  "R",
  "b",
  "\x81",
  "t",
  "u",
  "\x86",
  "q\x00",
  "h\x00",
  "N.",
  "cos\nsystem\n",
];
const words = ["null", "[]", "{}", '"', "-1", "1e308", "1e999", "\\ud800", "../", "\0", "9".repeat(30)];

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant("flip" as const), at: position, bits: fc.integer({ min: 1, max: 255 }) }),
  fc.record({
    kind: fc.constant("number" as const),
    at: position,
    width: fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const),
    value: numbers,
  }),
  fc.record({
    kind: fc.constant("text" as const),
    at: position,
    text: fc.constantFrom(...opcodes, ...words),
  }),
  fc.record({
    kind: fc.constant("digits" as const),
    at: position,
    text: fc.oneof(numbers.map(String), fc.constantFrom("-1", "1.5", "1e300", "null", '"8"')),
  }),
  fc.record({
    kind: fc.constantFrom("delete" as const, "repeat" as const),
    at: position,
    length: fc.integer({ min: 1, max: 60 }),
  }),
  fc.record({ kind: fc.constant("cut" as const), at: position }),
);

/** One to three changes. */
export const mutations = fc.array(mutation, { minLength: 1, maxLength: 3 });

export function mutated(bytes: Buffer, changes: readonly Mutation[]): Buffer {
  return changes.reduce<Buffer>(
    (before, change) => (before.length === 0 ? before : apply(before, change)),
    bytes,
  );
}

function apply(bytes: Buffer, change: Mutation): Buffer {
  const at = change.at % bytes.length;
  switch (change.kind) {
    case "flip": {
      const result = Buffer.from(bytes);
      result[at] ^= change.bits;
      return result;
    }
    case "number": {
      const field = Buffer.alloc(8);
      field.writeBigUInt64LE(change.value);
      const result = Buffer.from(bytes);
      field.copy(result, at, 0, change.width);
      return result;
    }
    case "text":
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(change.text, "latin1"), bytes.subarray(at)]);
    case "digits": {
      // The first number in decimal digits from there on, if there is one.
      const text = bytes.toString("latin1");
      const found = /\d+/.exec(text.slice(at));
      if (found === null) return bytes;
      const start = at + found.index;
      return Buffer.from(text.slice(0, start) + change.text + text.slice(start + found[0].length), "latin1");
    }
    case "delete":
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + change.length)]);
    case "repeat": {
      const end = at + change.length;
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at, end), bytes.subarray(end)]);
    }
    case "cut":
      return bytes.subarray(0, at);
  }
}
