import { readFileSync } from "node:fs";

/** The documents of a file of held-out text, as `scripts/demo-model` writes it. */
export function heldOutTexts(path) {
  return readFileSync(path, "utf8")
    .split("|ENDOFTEXT|\n")
    .filter((text) => text.trim() !== "");
}

/** exp of the mean negative log-probability of a token, each text read by itself. */
export async function perplexity(model, texts) {
  let [sum, count] = [0, 0];
  for (const text of texts) {
    const scores = await model.logprobs(text);
    sum += scores.total;
    count += scores.length;
  }
  return Math.exp(-sum / count);
}

export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
