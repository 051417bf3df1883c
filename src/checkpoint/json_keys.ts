/**
 * The first key that one object of a JSON text has twice, or undefined. `JSON.parse` keeps the last of the two in
 * silence, and a header that names a tensor twice must not be taken for a sound one.
 *
 * @param text valid JSON: parse it first
 */
export function duplicateKey(text: string): string | undefined {
  // One entry for each open bracket: the keys seen so far in an object, undefined in a list.
  const open: (Set<string> | undefined)[] = [];
  let keyExpected = false;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === "{" || character === "[") {
      open.push(character === "{" ? new Set() : undefined);
      keyExpected = character === "{";
    } else if (character === "}" || character === "]") {
      open.pop();
      keyExpected = false;
    } else if (character === ",") {
      keyExpected = open.at(-1) !== undefined;
    } else if (character === '"') {
      const start = index;
      for (index++; text[index] !== '"'; index++) if (text[index] === "\\") index++;
      if (!keyExpected) continue;
      // Through JSON.parse, so that "a" and "\u0061" are the same key.
      const key: string = JSON.parse(text.slice(start, index + 1));
      const keys = open.at(-1)!;
      if (keys.has(key)) return key;
      keys.add(key);
      keyExpected = false;
    }
  }
  return undefined;
}
