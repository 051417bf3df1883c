import { readFileSync } from "node:fs";

/** The documents of a file of held-out text, as `scripts/demo-model` writes it. */
export function heldOutTexts(path) {
  return readFileSync(path, "utf8")
    .split("|ENDOFTEXT|\n")
    .filter((text) => text.trim() !== "");
}
