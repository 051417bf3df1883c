/** Offset in UTF-16 units of an offset in code points. Out of range is clamped. */
export function utf16Offset(text: string, codePoints: number): number {
  let offset = 0;
  for (let left = codePoints; left > 0 && offset < text.length; left--) {
    offset += text.codePointAt(offset)! > 0xffff ? 2 : 1;
  }
  return offset;
}

/** Offset in code points of an offset in UTF-16 units. */
export function codePointOffset(text: string, utf16: number): number {
  let count = 0;
  for (let offset = 0; offset < utf16 && offset < text.length; count++) {
    offset += text.codePointAt(offset)! > 0xffff ? 2 : 1;
  }
  return count;
}
