/**
 * Lengths of the arguments of every pickle opcode up to protocol 5 (CPython's Lib/pickletools.py), by how they are written.
 */
const WIDTHS: Record<string, number> = {};
for (const opcode of "(.012NQR)]}tldaesubo\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98")
  WIDTHS[opcode] = 0;
for (const opcode of "Kqh\x80\x82") WIDTHS[opcode] = 1;
for (const opcode of "M\x83") WIDTHS[opcode] = 2;
for (const opcode of "Jrj\x84") WIDTHS[opcode] = 4;
for (const opcode of "G\x95") WIDTHS[opcode] = 8;
/** Opcodes with a length before their argument, and the bytes of that length. */
const COUNTED: Record<string, number> = {};
for (const opcode of "U\x8a\x8cC") COUNTED[opcode] = 1;
for (const opcode of "XTB\x8b") COUNTED[opcode] = 4;
for (const opcode of "\x8d\x8e\x96") COUNTED[opcode] = 8;
const LINES = "FILSVpgP";
const TEXTS = "XUT\x8c\x8d";
const MOST_NAMES = 100;

/**
 * The globals that a pickle names, in order, without running it: what it would have imported. Opcodes are stepped over one
 * after the other, so that it ends at the first byte that is none.
 */
export function globalsIn(bytes: Buffer): string[] {
  const found = new Set<string>();
  const texts: string[] = [];
  let position = 0;
  const line = () => {
    const end = bytes.indexOf(0x0a, position);
    const stop = end < 0 ? bytes.length : end;
    const text = bytes.toString("utf8", position, Math.min(stop, position + 200));
    position = stop + 1;
    return text;
  };
  while (position < bytes.length && found.size < MOST_NAMES) {
    const opcode = String.fromCharCode(bytes[position++]);
    if (opcode === ".") break;
    if (opcode === "c" || opcode === "i") found.add(`${line()}.${line()}`);
    else if (LINES.includes(opcode)) line();
    else if (opcode in COUNTED) {
      const width = COUNTED[opcode];
      if (position + width > bytes.length) break;
      const length =
        width === 8 ? Number(bytes.readBigUInt64LE(position)) : bytes.readUIntLE(position, width);
      position += width;
      if (TEXTS.includes(opcode))
        texts.push(bytes.toString("utf8", position, position + Math.min(length, 200)));
      if (texts.length > 2) texts.shift();
      position += length;
    } else if (opcode in WIDTHS) {
      // STACK_GLOBAL takes its two names from the stack: as writers make it, the two texts before.
      if (opcode === "\x93") found.add(texts.join("."));
      position += WIDTHS[opcode];
    } else break;
  }
  return [...found];
}

/** For messages: the names as JSON text, since they come from a file that is not trusted. */
export function globalList(names: readonly string[]): string {
  if (names.length === 0) return "no global";
  const shown = names.slice(0, 30).map((name) => JSON.stringify(name));
  return names.length > 30 ? `${shown.join(", ")} and ${names.length - 30} more` : shown.join(", ");
}
