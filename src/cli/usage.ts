import type { Command } from "commander";

/**
 * What commander says of a command line that is wrong, with a code as all errors have, and with the options that an unknown one may be
 * short for.
 * @param text such as "error: unknown option '--temp'\n(Did you mean --help?)\n"
 */
export function usageError(text: string, { options }: Pick<Command, "options">): string {
  const coded = text.replace(/^error: /, "error [USAGE_INVALID] ");
  const unknown = /unknown option '(--[\w-]+)/.exec(text)?.[1];
  const longer = options.flatMap(({ long }) => (unknown && long?.startsWith(unknown) ? [long] : []));
  if (longer.length === 0) return coded;
  return `${coded.replace(/\n\(Did you mean .*\?\)/, "").trimEnd()}\n(Did you mean ${longer.join(" or ")}?)\n`;
}

/** A message of the library with the flags of a command for the options that it is about: `--top-k must be …` for `topK must be …`. */
export function withFlags(message: string, { options }: Pick<Command, "options">): string {
  return options.reduce((text, option) => {
    const name = option.attributeName();
    return option.long
      ? text.replace(new RegExp(`(?<![\\w-])${name}(?= (must|has no effect)\\b)`), option.long)
      : text;
  }, message);
}
