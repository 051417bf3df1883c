/**
 * Bytes of the character that a lead byte announces; trail bytes and impossible leads count as 1, as in
 * SentencePiece.
 */
export function characterBytes(lead: number): number {
  if (lead < 0xc0) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}

/** What `inspectCharacter` says about bytes that are not a whole character. */
export const INVALID = 0;
/** The bytes end inside a character that more bytes could complete. */
export const INCOMPLETE = -1;

/**
 * Looks at the character at `start`: its length in bytes when it is whole and valid UTF-8 (no overlong form,
 * no surrogate, nothing past U+10FFFF), `INVALID` when the byte at `start` cannot begin a character whatever
 * follows, `INCOMPLETE` when it still can.
 */
export function inspectCharacter(bytes: ArrayLike<number>, start: number, end: number): number {
  const lead = bytes[start]!;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return INVALID;
  const length = characterBytes(lead);
  for (let index = 1; index < length; index++) {
    if (start + index >= end) return INCOMPLETE;
    const trail = bytes[start + index]!;
    if (trail < 0x80 || trail > 0xbf) return INVALID;
    if (index === 1) {
      const overlong = (lead === 0xe0 && trail < 0xa0) || (lead === 0xf0 && trail < 0x90);
      const surrogate = lead === 0xed && trail > 0x9f;
      const pastTheEnd = lead === 0xf4 && trail > 0x8f;
      if (overlong || surrogate || pastTheEnd) return INVALID;
    }
  }
  return length;
}
