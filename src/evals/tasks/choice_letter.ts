/** Labels of options, by position; also where the data numbers them. */
export const choiceLetters = "ABCDEFGH";

const letterAtStart = /^([A-H])(?:$|[.:),])/;

/**
 * The option that a completion names: its first line, without surrounding white space, begins with a letter that ends the
 * line or is followed by one of `. : ) ,`. "A planet" names nothing. The letter must be one of this item's labels.
 * @param count how many options the item has
 */
export function readChoiceLetter(completion: string, count: number): string | null {
  return letterOfLine(completion.trim().split("\n")[0], count);
}

/**
 * The option of `readChoiceLetter`; where there is none, the only one that any line begins with, or whose text is the whole
 * of a line.
 */
export function findChoice(completion: string, options: readonly string[]): string | null {
  const strict = readChoiceLetter(completion, options.length);
  if (strict !== null) return strict;
  const named = new Set<string>();
  for (const line of completion.split("\n")) {
    const letter = letterOfLine(line, options.length);
    if (letter !== null) named.add(letter);
    for (const [index, option] of options.entries()) {
      if (line.trim() !== "" && line.trim() === option.trim()) named.add(choiceLetters[index]);
    }
  }
  return named.size === 1 ? [...named][0] : null;
}

function letterOfLine(line: string, count: number): string | null {
  const letter = letterAtStart.exec(line.trim())?.[1];
  return letter !== undefined && choiceLetters.indexOf(letter) < count ? letter : null;
}
