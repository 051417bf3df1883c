import type { PersimmonError } from "../errors.js";
import { type NormalizerSpecification, SPACE_SYMBOL } from "./specification.js";

type Fail = (message: string) => PersimmonError;

/**
 * Translates the normaliser and pre-tokeniser of a `tokenizer.json` into SentencePiece's settings. They say
 * the same things as steps: `Prepend ▁` or `Metaspace` is the dummy prefix, `Replace " " by ▁` the escape,
 * `Replace / {2,}/` and `Strip` the removal of extra spaces, `Precompiled` the replacement rules. A step that
 * is none of these is refused: skipping it would give other ids.
 */
export function readNormalizer(
  normalizer: unknown,
  preTokenizer: unknown,
  unsupported: Fail,
  corrupt: Fail,
): NormalizerSpecification {
  const result = {
    addDummyPrefix: false,
    removeExtraWhitespaces: false,
    escapeWhitespaces: false,
    whitespaceAsSuffix: false,
    charsmap: new Uint8Array(0) as Uint8Array,
  };
  for (const step of steps(normalizer, "normalizers")) {
    const pattern = step.pattern as { String?: unknown; Regex?: unknown } | undefined;
    if (step.type === "Prepend" && step.prepend === SPACE_SYMBOL) {
      result.addDummyPrefix = true;
    } else if (step.type === "Replace" && pattern?.String === " " && step.content === SPACE_SYMBOL) {
      result.escapeWhitespaces = true;
    } else if (step.type === "Replace" && pattern?.Regex === " {2,}") {
      result.removeExtraWhitespaces = true;
      if (step.content === SPACE_SYMBOL) result.escapeWhitespaces = true;
    } else if (step.type === "Strip") {
      result.removeExtraWhitespaces = true;
    } else if (step.type === "Precompiled" && typeof step.precompiled_charsmap === "string") {
      if (result.charsmap.length > 0) throw unsupported("two Precompiled normalizers; expected one.");
      result.charsmap = Buffer.from(step.precompiled_charsmap, "base64");
    } else {
      throw unsupported(
        `normalizer step ${describe(step)} is not implemented; expected SentencePiece's own steps.`,
      );
    }
  }
  for (const step of steps(preTokenizer, "pretokenizers")) {
    if (step.type !== "Metaspace" || (step.replacement ?? SPACE_SYMBOL) !== SPACE_SYMBOL) {
      throw unsupported(
        `pre_tokenizer ${describe(step)} is not implemented; expected Metaspace with ${SPACE_SYMBOL}.`,
      );
    }
    if (step.split === true) {
      throw unsupported(
        "pre_tokenizer Metaspace splits at spaces, which SentencePiece does not do; expected split: false.",
      );
    }
    const scheme = step.prepend_scheme ?? (step.add_prefix_space === false ? "never" : "always");
    if (scheme !== "never" && scheme !== "first" && scheme !== "always") {
      throw corrupt(
        `pre_tokenizer.prepend_scheme is ${JSON.stringify(scheme)}; expected never, first or always.`,
      );
    }
    result.escapeWhitespaces = true;
    if (scheme !== "never") result.addDummyPrefix = true;
  }
  return result;
}

/** A step, or the steps of a Sequence, as a list. */
function steps(value: unknown, key: string): Record<string, unknown>[] {
  if (value === null || value === undefined) return [];
  const step = (typeof value === "object" ? value : { type: value }) as Record<string, unknown>;
  const list = step.type === "Sequence" ? step[key] : undefined;
  return Array.isArray(list) ? list.flatMap((inner) => steps(inner, key)) : [step];
}

function describe(step: Record<string, unknown>): string {
  const json = JSON.stringify(step);
  return json.length > 100 ? `${json.slice(0, 100)}…` : json;
}
