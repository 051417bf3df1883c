// Python's \b knows letters of every script and JavaScript's does not, so the border is spelled out.
const article = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;
const punctuation = /[!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~‘’´]/g;

/**
 * TriviaQA's own normalisation (mandarjoshi90/triviaqa, evaluation/triviaqa_evaluation.py): lower case; underscores,
 * punctuation and articles become spaces; single spaces. "The Beatles!" and "beatles" are the same answer.
 */
export function normalizedAnswer(text: string): string {
  const words = text.toLowerCase().replace(punctuation, " ").replace(article, " ");
  return words.split(/\s+/).filter(Boolean).join(" ");
}
