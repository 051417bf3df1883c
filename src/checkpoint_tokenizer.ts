import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Checkpoint, readRange } from "./checkpoint/index.js";
import type { SpecialTokenIds } from "./model/config.js";
import { loadTokenizer, sentencePieceTokenizer, TOKENIZER_FILES, type Tokenizer } from "./tokenizer/index.js";

/** The tokenizer of a checkpoint, or undefined: a model can still be run on token ids. */
export async function tokenizerOf({ directory, vocabulary }: Checkpoint): Promise<Tokenizer | undefined> {
  if (vocabulary !== undefined) return sentencePieceTokenizer(await readRange(vocabulary), vocabulary.label);
  if (!TOKENIZER_FILES.some((file) => existsSync(join(directory, file)))) return undefined;
  return loadTokenizer(directory);
}

/** The ids at which texts begin and end; those of Adept's release are the vocabulary's `|ENDOFTEXT|`, as in Adept's code. */
export function specialTokenIds(checkpoint: Checkpoint, tokenizer: Tokenizer | undefined): SpecialTokenIds {
  const end = tokenizer?.endOfTextId;
  return (
    checkpoint.generationConfig ?? {
      bosTokenId: end,
      eosTokenIds: end === undefined ? [] : [end],
      padTokenId: undefined,
    }
  );
}
