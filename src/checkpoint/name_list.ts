const MOST_NAMES = 5;

/** Up to five names for an error message, and how many there are in all when there are more. */
export function nameList(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).map((name) => `"${name}"`);
  return names.length > MOST_NAMES ? `${shown.join(", ")}, ... (${names.length} in all)` : shown.join(", ");
}

/** "1 tensor", "3 tensors". */
export function count(names: readonly unknown[], noun: string): string {
  return `${names.length} ${noun}${names.length === 1 ? "" : "s"}`;
}
