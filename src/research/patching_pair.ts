import { checkOptionNames, PersimmonError } from "../errors.js";
import { interruptSignal, throwIfInterrupted } from "../host.js";
import type { LanguageModel, Prompt } from "../language_model.js";
import { PrefixCache } from "../runtime/prefix_cache.js";
import type { Site } from "../runtime/sites.js";
import type { Activation } from "./activation_cache.js";
import { type Answer, type AnswerToken, answerToken, logitDifference, tokenLabels } from "./answer.js";
import type { EditSpec } from "./edits.js";
import { observe } from "./observe.js";
import { keptPositions } from "./run_with_cache.js";

export interface PatchingOptions {
  /** The prompt that is answered rightly. */
  clean: Prompt;
  /** As many tokens, with one fact changed, so that the answer is another. */
  corrupted: Prompt;
  /** The answer to the clean prompt. */
  answer: Answer;
  /** The answer to the corrupted prompt; default: none, and the measure is logit(answer) alone. */
  wrong?: Answer;
  /** Positions that are patched; default: from the first at which the prompts differ (before it nothing does) to the last. */
  positions?: readonly number[];
  bos?: boolean;
  /** Compute the tokens before the first patched one once and share them; true. The results are the same to the bit. */
  reusePrefix?: boolean;
  signal?: AbortSignal;
  /** Show a progress bar; true. */
  progress?: boolean;
}

const optionNames = [
  "clean",
  "corrupted",
  "answer",
  "wrong",
  "positions",
  "bos",
  "reusePrefix",
  "signal",
  "progress",
] satisfies (keyof PatchingOptions)[];

/**
 * @param more names that a sweep has besides those of all
 * @throws PersimmonError OPTION_UNKNOWN, OPTION_INVALID
 */
export function checkPatchingOptions(
  caller: string,
  options: PatchingOptions,
  more: readonly string[] = [],
): void {
  checkOptionNames(caller, options, [...optionNames, ...more]);
}

/** How many tokens went through the model in a sweep. */
export interface PatchingTokens {
  computed: number;
  /** What it would have been without a shared prefix. */
  withoutReuse: number;
}

/**
 * A clean and a corrupted prompt: what the sweeps of activation patching have in common. Activations of the clean run are
 * put into runs over the corrupted one, and the logit difference at the end is measured.
 */
export class PatchingPair implements Disposable {
  readonly positions: readonly number[];
  /** The tokens of the corrupted prompt at the positions. */
  readonly tokens: readonly string[];
  readonly answer: AnswerToken;
  readonly wrong: AnswerToken | undefined;
  readonly signal: AbortSignal;
  /** Logit differences of the two prompts as they are. */
  clean = Number.NaN;
  corrupted = Number.NaN;
  readonly #model: LanguageModel;
  readonly #cleanIds: readonly number[];
  readonly #corruptedIds: readonly number[];
  readonly #prefixes: PrefixCache;
  readonly #reuse: boolean;
  #tails = 0;
  #withoutReuse = 0;

  constructor(model: LanguageModel, options: PatchingOptions) {
    this.#model = model;
    this.#cleanIds = model.encodePrompt(options.clean, options.bos);
    this.#corruptedIds = model.encodePrompt(options.corrupted, options.bos);
    const first = firstDifference(model, this.#cleanIds, this.#corruptedIds);
    this.answer = answerToken(model, options.answer, "answer");
    this.wrong = options.wrong === undefined ? undefined : answerToken(model, options.wrong, "wrong");
    const all = Array.from(this.#corruptedIds, (_, position) => position);
    this.positions = keptPositions(options.positions ?? all.slice(first), all.length, "patching: positions");
    if (this.positions.length === 0) {
      throw new PersimmonError("PATCHING_OPTIONS_INVALID", "patching: positions must name at least one");
    }
    this.tokens = tokenLabels(
      model,
      this.positions.map((position) => this.#corruptedIds[position]),
    );
    this.signal = interruptSignal(options.signal);
    this.#reuse = options.reusePrefix ?? true;
    // Two: the clean and the corrupted text.
    this.#prefixes = new PrefixCache(model.runtime, { sequences: 2 });
  }

  /** The first position that is patched. */
  get start(): number {
    return Math.min(...this.positions);
  }

  get tokensRun(): PatchingTokens {
    return { computed: this.#prefixes.tokens.computed + this.#tails, withoutReuse: this.#withoutReuse };
  }

  /** Calls `sweep` when its turn has come: no pass of others runs under a patch, and no patch of others under this sweep. */
  alone<T>(sweep: () => Promise<T>): Promise<T> {
    return this.#model.runtime.alone(sweep, this.signal);
  }

  /**
   * Runs both prompts as they are, and keeps what the clean one has at the sites and the patched positions.
   * @throws PersimmonError PATCHING_NO_DIFFERENCE where the prompts give the same logit difference
   */
  async prepare(sites: readonly Site[]): Promise<Map<Site, Activation>> {
    const clean = await this.values("clean", sites);
    this.clean = clean.score;
    this.corrupted = (await this.values("corrupted", [])).score;
    if (!(Math.abs(this.clean - this.corrupted) > 1e-6)) {
      throw new PersimmonError(
        "PATCHING_NO_DIFFERENCE",
        `the clean and the corrupted prompt give the same logit difference (${this.clean} and ${this.corrupted}), so no patch can move it from one to the other: choose prompts or answers that differ`,
      );
    }
    return clean.activations;
  }

  /** Runs one of the prompts as it is, for its logit difference and its values at some sites. */
  async values(
    which: "clean" | "corrupted",
    sites: readonly Site[],
  ): Promise<{ score: number; activations: Map<Site, Activation> }> {
    const ids = which === "clean" ? this.#cleanIds : this.#corruptedIds;
    using sequence = await this.#prefix(ids, this.start);
    const rest = this.#count(ids, sequence.length);
    using pass = await observe(this.#model.runtime, sequence, rest, sites, { signal: this.signal });
    const activations = new Map<Site, Activation>();
    for (const site of sites) {
      using rows = pass.rows(site, this.positions);
      const shape = [this.positions.length, ...pass.at(site).shape.slice(1)];
      activations.set(site, { data: await rows.data(), shape, positions: [...this.positions] });
    }
    return {
      score: logitDifference(await pass.logits.data(), this.answer, this.wrong),
      activations,
    };
  }

  /** The logit difference of the corrupted prompt under an edit that changes nothing before position `start`. */
  async patched(site: Site, spec: EditSpec, start: number): Promise<number> {
    throwIfInterrupted(this.signal);
    // The prefix is looked up without the patch, which does not reach it.
    using sequence = await this.#prefix(this.#corruptedIds, start);
    using _patch = this.#model.edit(site, spec);
    const ids = this.#count(this.#corruptedIds, sequence.length);
    using logits = await this.#model.runtime.forward([{ sequence, ids, logits: "last" }]);
    return logitDifference(await logits.data(), this.answer, this.wrong);
  }

  /** 0 for the corrupted prompt's logit difference, 1 for the clean one's. */
  effect(score: number): number {
    return (score - this.corrupted) / (this.clean - this.corrupted);
  }

  [Symbol.dispose](): void {
    this.#prefixes.clear();
  }

  #prefix(ids: readonly number[], length: number) {
    return this.#prefixes.prefix(this.#reuse ? ids.slice(0, length) : [], this.signal);
  }

  /** The tokens behind a prefix, counted. */
  #count(ids: readonly number[], from: number): readonly number[] {
    this.#tails += ids.length - from;
    this.#withoutReuse += ids.length;
    return ids.slice(from);
  }
}

function firstDifference(
  model: LanguageModel,
  clean: readonly number[],
  corrupted: readonly number[],
): number {
  if (clean.length !== corrupted.length) {
    const shown = (ids: readonly number[]) => tokenLabels(model, ids).join(" ");
    throw new PersimmonError(
      "PATCHING_LENGTHS_DIFFER",
      `patching needs prompts of equally many tokens, got ${clean.length} (${shown(clean)}) and ${corrupted.length} (${shown(corrupted)})`,
    );
  }
  const first = clean.findIndex((id, position) => id !== corrupted[position]);
  if (first >= 0) return first;
  throw new PersimmonError(
    "PATCHING_NO_DIFFERENCE",
    "the clean and the corrupted prompt are the same tokens",
  );
}
