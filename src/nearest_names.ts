/** The names that are nearest to a mistyped one, the nearest first. */
export function nearestNames<Name extends string>(
  name: string,
  names: readonly Name[],
  count: number,
): Name[] {
  return [...names].sort((a, b) => editDistance(name, a) - editDistance(name, b)).slice(0, count);
}

/**
 * The name that a mistyped one most likely stands for, or undefined where none is near: one that begins or ends with it
 * (`pos` for `positions`) or it with that one (`prependBos` for `bos`), else one with at most a third of the letters changed.
 * Capitals and underscores do not count.
 */
export function likelyName(name: string, names: readonly string[]): string | undefined {
  const letters = (text: string) => text.toLowerCase().replace(/[_-]/g, "");
  const wanted = letters(name);
  if (wanted === "") return undefined;
  const isPart = (a: string, b: string) => a.startsWith(b) || a.endsWith(b);
  const parts = names.filter((each) => isPart(letters(each), wanted) || isPart(wanted, letters(each)));
  const similar = names.filter((each) => editDistance(wanted, letters(each)) <= wanted.length / 3);
  return nearestNames(name, parts.length > 0 ? parts : similar, 1)[0];
}

/** Levenshtein distance: the fewest insertions, deletions and replacements that turn one text into the other. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}
