const synonyms: Readonly<Record<string, string>> = {
  val: "validation",
  valid: "validation",
  dev: "validation",
};

/**
 * The name of a split in one spelling: `validation` is called `dev` or `val` by some publishers. MMLU has a `dev` split beside
 * its validation split.
 */
export function splitName(name: string, hasDevSplit: boolean): string {
  const lower = name.toLowerCase();
  if (hasDevSplit && lower === "dev") return lower;
  return Object.hasOwn(synonyms, lower) ? synonyms[lower] : lower;
}
