/**
 * Ends a one-line answer: the first line break after a character that is not a space, so that line breaks before the answer
 * do not end it. The matched text is the line break alone.
 */
export const endOfAnswerLine = /(?<=\S\s*)\n/;

/**
 * Ends a function's body: the line break before the first line, after the first one, that begins with anything but a
 * space. A blank line is not an end: 34 of HumanEval's 164 solutions have one.
 */
export const endOfIndentedBlock = /\n(?=\S)/;
