/** What one of HellaSwag's own rows says of the beginning. */
export interface HellaSwagParts {
  activity: string;
  a: string;
  b: string;
}

/**
 * The beginning as lm-eval prepares it (lm_eval/tasks/hellaswag/utils.py), which published likelihood scores stand on:
 * "activity: ctx_a Ctx_b". The normalised set of klosax leaves `ctx_b` as it is, so that scores on it differ a little.
 */
export function hellaswagContext({ activity, a, b }: HellaSwagParts): string {
  return hellaswagText(`${activity}: ${a} ${capitalize(b)}`);
}

/**
 * A text without the marks of the WikiHow part, as lm-eval has it: " [title]" becomes ". ", what else is in brackets goes, each
 * double space becomes a single one.
 */
export function hellaswagText(text: string): string {
  return text
    .trim()
    .replaceAll(" [title]", ". ")
    .replace(/\[[^\n]*?\]/g, "")
    .replaceAll("  ", " ");
}

/** As Python's str.capitalize: the first character in upper case, the others in lower case. */
function capitalize(text: string): string {
  const [first = ""] = text;
  return first.toUpperCase() + text.slice(first.length).toLowerCase();
}
