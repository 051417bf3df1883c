import { modelBundle } from "./display/model.js";
import { PersimmonError, valueText } from "./errors.js";
import {
  type BatchListener,
  type Generator,
  generateBatch,
  rowsWithSharedPrefix,
  sharedLength,
} from "./generation/generate.js";
import {
  type BatchOptions,
  checkBatchOptions,
  checkOptions,
  type GenerateOptions,
  type Sampling,
} from "./generation/options.js";
import type { TextDecoderStream } from "./generation/text_writer.js";
import { type Generation, TokenStream } from "./generation/token_stream.js";
import { type Turn, turnsOf } from "./generation/turns.js";
import { interruptSignal, throwIfInterrupted } from "./host.js";
import type { PersimmonConfig } from "./model/config.js";
import { Persimmon, type PersimmonParts } from "./model/persimmon.js";
import type { Rope } from "./model/rotary.js";
import { optionChecks } from "./option_checks.js";
import type { ActivationCache } from "./research/activation_cache.js";
import { type Edit, type EditFilter, type EditSpec, makeEdit } from "./research/edit.js";
import { FiringCounter } from "./research/firing.js";
import { type InterventionOptions, makeHook, makeWatch } from "./research/hook.js";
import { handlesInForce, type InterventionHandle } from "./research/intervention_handle.js";
import { type CacheOptions, cacheOptionNames, runWithCache } from "./research/run_with_cache.js";
import type { HookFunction, WatchFunction } from "./runtime/interventions.js";
import {
  KvCache,
  type KvDType,
  type KvSequence,
  type KvShape,
  kvBytesPerToken,
  kvCapacity,
} from "./runtime/kv_cache.js";
import { PlanSummary } from "./runtime/plan_summary.js";
import { checkPromptOptions, forEachChunk, type PromptOptions, prefill } from "./runtime/prefill.js";
import { checkedPositions, type LogitsOptions, promptLogits } from "./runtime/prompt_logits.js";
import { disposedError, Runtime } from "./runtime/runtime.js";
import type { Site } from "./runtime/sites.js";
import type { Device } from "./tensor/device.js";
import * as ops from "./tensor/ops/index.js";
import { Tensor } from "./tensor/tensor.js";
import { TokenLogprobs } from "./token_logprobs.js";
import type { Tokenizer } from "./tokenizer/index.js";

/** A text, which the model's tokenizer encodes, or token ids as they are. */
export type Prompt = string | readonly number[];

/** Logits of each position, row-major. */
export interface Logits {
  data: Float32Array;
  /** [tokens, vocabulary] */
  shape: number[];
}

/** What `loadModel` found and chose. */
export interface LoadedParts {
  config: PersimmonConfig;
  modules: PersimmonParts;
  tokenizer: Tokenizer | undefined;
  device: Device;
  dtype: string;
  eosTokenIds: readonly number[];
  maxLength: number;
  /** Of keys and values. */
  kvDtype: KvDType;
  /** KV capacity in texts of `maxLength` tokens; 4. */
  kvContexts?: number;
  rope: Rope;
  /** Bytes of all weights in memory or mapped. */
  weightBytes: number;
  source: string;
  /** Makes what runs the passes; default: a runtime for one device with the whole model. */
  runtime?: (model: LanguageModel) => Runtime;
}

/** KV capacity as a multiple of the longest context: forks and batches share the pages. Address space, not memory. */
export const kvContexts = 4;

/** What a position takes in the KV cache of a whole model. */
export function kvShape(config: PersimmonConfig, dtype: KvDType): KvShape {
  const { numHiddenLayers: layers, numAttentionHeads: heads, headDim } = config;
  return { layers, heads, headDim, dtype };
}

/** A Persimmon with its tokenizer, ready to run. Its modules are properties that may be assigned to. */
export class LanguageModel extends Persimmon {
  readonly device: Device;
  /** Element type of the weights, such as "bfloat16". */
  readonly dtype: string;
  /** The longest text, prompt and generated tokens together. */
  readonly maxLength: number;
  /** Element type of the keys and values that sequences keep. */
  readonly kvDtype: KvDType;
  /** How the rotary angles are computed. */
  readonly rope: Rope;
  /** Token ids that end a generation. */
  readonly eosTokenIds: readonly number[];
  readonly weightBytes: number;
  /** Folder or name that the model was loaded from. */
  readonly source: string;
  readonly #tokenizer: Tokenizer | undefined;
  readonly #kvContexts: number;
  #makeRuntime: (model: LanguageModel) => Runtime;
  #runtime: Runtime | undefined;
  #isDisposed = false;

  constructor(parts: LoadedParts) {
    super(parts.config, parts.modules);
    this.device = parts.device;
    this.dtype = parts.dtype;
    this.maxLength = parts.maxLength;
    this.kvDtype = parts.kvDtype;
    this.rope = parts.rope;
    this.eosTokenIds = parts.eosTokenIds;
    this.weightBytes = parts.weightBytes;
    this.source = parts.source;
    this.#tokenizer = parts.tokenizer;
    this.#kvContexts = parts.kvContexts ?? kvContexts;
    this.#makeRuntime =
      parts.runtime ?? (() => new Runtime(this, this.device, this.#makeCache(), this.maxLength));
  }

  /** Throws `TOKENIZER_MISSING` for a model that was loaded without one. */
  get tokenizer(): Tokenizer {
    if (this.#tokenizer === undefined) {
      throw new PersimmonError(
        "TOKENIZER_MISSING",
        `${this.source} has no tokenizer (tokenizer.model or tokenizer.json); give token ids instead of text, or add the file`,
      );
    }
    return this.#tokenizer;
  }

  /** The key-value cache that this model's sequences share. */
  get kv(): KvCache {
    return this.runtime.kv;
  }

  /** For the research tools: runs the forward passes. The address space of the KV cache is reserved at the first use. */
  get runtime(): Runtime {
    this.#runtime ??= this.#makeRuntime(this);
    return this.#runtime;
  }

  #makeCache(): KvCache {
    const shape = kvShape(this.config, this.kvDtype);
    const wanted = this.#kvContexts * this.maxLength;
    return new KvCache(this.device, shape, kvCapacity([this.device], kvBytesPerToken(shape), wanted));
  }

  /** A token as the tokenizer has it (`▁` stands for a space); the id as text where there is no tokenizer. */
  pieceOf(id: number): string {
    return this.#tokenizer?.pieceOf(id) ?? String(id);
  }

  /**
   * The logits of every position, or of the last one. Throws `PROMPT_INVALID`, `PROMPT_EMPTY`, `PROMPT_TOO_LONG`, `TOKEN_ID_OUT_OF_RANGE`,
   * `KV_CACHE_FULL`, `OPTION_UNKNOWN`, `OPTION_INVALID`, `INTERRUPTED`.
   * @param options `signal` ends it early, `onProgress` is told how far it is, after each 512 tokens
   */
  async logits(prompt: Prompt, options: LogitsOptions = {}): Promise<Logits> {
    checkPromptOptions("logits", options, ["positions"]);
    const { bos, positions, onProgress } = options;
    const logits = checkedPositions(positions);
    const ids = this.encodePrompt(prompt, bos);
    return promptLogits(this.runtime, ids, { signal: interruptSignal(options.signal), logits, onProgress });
  }

  /** The log-probability of each token given those before it: n − 1 numbers for n tokens. Options as for `logits`. */
  async logprobs(prompt: Prompt, options: { bos?: boolean } & PromptOptions = {}): Promise<TokenLogprobs> {
    checkPromptOptions("logprobs", options);
    const ids = this.encodePrompt(prompt, options.bos);
    const result = new TokenLogprobs(ids.length - 1);
    result.ids = ids;
    result.pieces = ids.map((id) => this.pieceOf(id));
    let at = 0;
    await this.#forEachChunk(ids, options, async (logits) => {
      const [rows] = logits.shape;
      // The last position of the text predicts a token that is not there.
      const targets = ids.slice(at + 1, at + 1 + rows);
      using wanted = logits.rows(0, targets.length);
      using next = Tensor.from(this.device, Int32Array.from(targets));
      using scores = ops.gatherLogProbability(wanted, next);
      result.set(await scores.data(), at);
      at += rows;
    });
    return result;
  }

  /**
   * Generates a continuation. Greedy unless a temperature is given. A model makes one at a time: `done` of a second one rejects with
   * MODEL_BUSY. It waits for tools with edits of their own (activationPatching, ablationStudy) that were begun before. Throws what
   * `generateBatch` does, where it is read.
   */
  generate(prompt: Prompt, options: GenerateOptions = {}): TokenStream {
    return new TokenStream(async (emit, cancelled) => {
      const listener: BatchListener = { onToken: (_, token) => emit(token) };
      const [generation] = await this.runBatch([prompt], options, cancelled, listener);
      return generation;
    });
  }

  /**
   * Generates continuations of several prompts in one batch; each is what `generate` gives for it alone (prompt number i
   * with the seed `seed + i`). The tokens that all prompts begin with, from 128 on, are computed once, but not while a hook,
   * a watch or a counter looks at prompts. Texts that together might fill the KV cache (each takes whole pages of 32 positions, for its
   * prompt and `maxNewTokens`) are made in turns, one after the other.
   * @throws PersimmonError KV_CACHE_FULL, before anything runs where a prompt alone has no room beside the sequences that are held
   *   (`model.kv.sequences`); what `logits` throws, SAMPLING_INVALID, MODEL_BUSY
   * @returns one for each prompt, in their order; `onFinished` gets each as soon as there is nothing more to come
   */
  async generateBatch(prompts: readonly Prompt[], options: BatchOptions = {}): Promise<Generation[]> {
    const { listener, each } = checkBatchOptions(options);
    if (!Array.isArray(prompts)) {
      throw new PersimmonError(
        "PROMPT_INVALID",
        `generateBatch takes a list of prompts, got ${valueText(prompts)}; generate takes one`,
      );
    }
    if (prompts.length === 0) return [];
    return this.runBatch(prompts, each, undefined, listener);
  }

  /**
   * Runs a prompt and keeps its keys and values, for `generate(rest, { kv: sequence.fork() })`. Release the sequence when
   * it is done with: its pages are missing in the KV cache until then, or until it was garbage-collected. `model.kv.sequences` lists
   * those that are held. Throws what `logits` does.
   */
  async prefill(
    prompt: Prompt,
    options: { bos?: boolean; kv?: KvSequence } & PromptOptions = {},
  ): Promise<KvSequence> {
    checkPromptOptions("prefill", options, ["kv"]);
    const sequence = options.kv ?? this.kv.createSequence();
    const ids = this.encodePrompt(prompt, options.bos, sequence.length);
    const signal = interruptSignal(options.signal);
    try {
      const rest = await prefill(this.runtime, sequence, ids, 0, signal, options.onProgress);
      if (rest.length > 0) throwIfInterrupted(signal);
      return sequence;
    } catch (error) {
      if (options.kv === undefined) sequence.release();
      throw error;
    }
  }

  /** Runs a prompt and keeps the values at the named sites. Throws what `logits` does, and `CACHE_OPTIONS_INVALID`, `CACHE_OVER_BUDGET`. */
  async runWithCache(
    prompt: Prompt,
    options: CacheOptions & { bos?: boolean } & PromptOptions,
  ): Promise<{ logits: Logits; cache: ActivationCache }> {
    checkPromptOptions("runWithCache", options ?? {}, cacheOptionNames);
    const ids = this.encodePrompt(prompt, options?.bos);
    return runWithCache(this.runtime, ids, options);
  }

  /**
   * Changes the values at a site inside the graph, in every pass until it is disposed of (`using` does so at the end of a
   * block). `edit.scale` may be changed at any time. An edit is in force for whoever runs the model, also for what runs at the
   * same time; MODEL_BUSY tells that a generation, or a tool with edits of its own (activationPatching, ablationStudy), runs or waits.
   * @param site one site, or several with `*`
   * @param spec one of `edits`, such as `edits.add(direction, { scale: 4 })`
   * @throws PersimmonError SITE_UNKNOWN, EDIT_INVALID, OPTION_UNKNOWN, OPTION_INVALID, MODEL_BUSY
   */
  edit(site: Site, spec: EditSpec, filter: EditFilter = {}): Edit {
    return makeEdit(this.runtime, site, spec, filter);
  }

  /**
   * Runs JavaScript on the values at a site, in the middle of every pass: the graph breaks there. The hook changes `x.data`
   * in place or returns a Float32Array of the same length.
   * @throws PersimmonError SITE_UNKNOWN, ARGUMENT_INVALID, OPTION_UNKNOWN, OPTION_INVALID, MODEL_BUSY
   */
  hook(site: Site, run: HookFunction, options: InterventionOptions = {}): InterventionHandle {
    return makeHook(this.runtime, site, run, options);
  }

  /**
   * Calls a function with a copy of the values at a site after every pass. The graph stays whole.
   * @throws PersimmonError SITE_UNKNOWN, ARGUMENT_INVALID, OPTION_UNKNOWN, OPTION_INVALID, MODEL_BUSY
   */
  watch(site: Site, see: WatchFunction, options: InterventionOptions = {}): InterventionHandle {
    return makeWatch(this.runtime, site, see, options);
  }

  /** Counts, inside the graph, how often each value at a site is above 0; see `FiringCounter`. */
  countFiring(site: Site = "layers.*.mlp.act", options: InterventionOptions = {}): FiringCounter {
    return new FiringCounter(this.runtime, site, options);
  }

  /**
   * What is in force on this model: the handles of its edits, hooks, watches and counters, in the order in which they were asked for. A
   * handle that was lost, as by running a cell again, is found here.
   */
  get interventions(): InterventionHandle[] {
    return this.#runtime === undefined ? [] : handlesInForce(this.#runtime);
  }

  /**
   * Disposes of all that is in force. Swapped modules stay.
   * @returns how many edits, hooks, watches and counters there were
   * @throws PersimmonError MODEL_BUSY while a tool with edits of its own (activationPatching, ablationStudy) runs or waits
   */
  clearInterventions(): number {
    this.#runtime?.expectNoTurn("the interventions cannot be cleared");
    const { interventions } = this;
    for (const handle of interventions) handle.dispose();
    return interventions.length;
  }

  /** What the last generation recorded: segments, breaks, and why each break is there. */
  plan(): PlanSummary {
    return new PlanSummary(this.runtime.plans.latest);
  }

  /** Whether values that edits and hooks make are searched for NaN and infinite numbers, which then fail the pass; false. */
  get checkFinite(): boolean {
    return this.runtime.checkFinite;
  }

  set checkFinite(on: boolean) {
    this.runtime.checkFinite = on;
  }

  /**
   * The ids that a prompt stands for. Text begins with the BOS token where the tokenizer's configuration says so and `bos`
   * does not say otherwise.
   * @param before positions that the text continues
   * @throws PersimmonError PROMPT_INVALID, PROMPT_EMPTY, PROMPT_TOO_LONG, TOKEN_ID_OUT_OF_RANGE, OPTION_INVALID
   */
  encodePrompt(prompt: Prompt, bos?: boolean, before = 0): number[] {
    const { flag } = optionChecks((message) => new PersimmonError("OPTION_INVALID", message));
    if (bos !== undefined) flag("bos", bos);
    let ids: number[];
    if (typeof prompt === "string") {
      ids = this.tokenizer.encode(prompt, { bos: bos ?? (before === 0 && this.tokenizer.addBos) });
    } else if (Array.isArray(prompt) || ArrayBuffer.isView(prompt)) {
      ids = Array.from(prompt as readonly number[]);
    } else {
      throw new PersimmonError(
        "PROMPT_INVALID",
        `a prompt is a text or a list of token ids, got ${valueText(prompt)}`,
      );
    }
    if (ids.length === 0) {
      throw new PersimmonError(
        "PROMPT_EMPTY",
        "the prompt has no token: give a text, an id, or `bos: true` to begin with the BOS token",
      );
    }
    for (const [index, id] of ids.entries()) {
      if (!Number.isInteger(id)) {
        throw new PersimmonError(
          "PROMPT_INVALID",
          `a prompt is a text or a list of token ids, which are whole numbers, got ${valueText(id)} at index ${index}${typeof id === "string" ? "; generateBatch takes several texts" : ""}`,
        );
      }
      if (id < 0 || id >= this.config.vocabSize) {
        throw new PersimmonError(
          "TOKEN_ID_OUT_OF_RANGE",
          `id ${id} at index ${index} is outside the vocabulary of ${this.config.vocabSize} tokens`,
        );
      }
    }
    if (before + ids.length > this.maxLength) {
      throw new PersimmonError(
        "PROMPT_TOO_LONG",
        `the prompt has ${before + ids.length} tokens, but the context holds ${this.maxLength}: shorten it${this.maxLength < this.config.maxPositionEmbeddings ? ", or load the model with a larger maxLength" : ""}`,
      );
    }
    return ids;
  }

  private async runBatch(
    prompts: readonly Prompt[],
    options: GenerateOptions,
    cancelled: AbortSignal | undefined,
    listener: BatchListener,
  ): Promise<Generation[]> {
    const sampling = checkOptions(options);
    if (sampling.promptLookup && this.runtime.interventions.observes("decode")) {
      throw new PersimmonError(
        "LOOKUP_OBSERVED",
        "promptLookup runs the model on guesses, and a hook, a watch or a counter that is in force would see those that turn out wrong: dispose of it first, or generate without promptLookup",
      );
    }
    const before = options.kv?.length ?? 0;
    const ids = prompts.map((prompt) => this.encodePrompt(prompt, options.bos, before));
    const signal = interruptSignal(options.signal, cancelled);
    const end = await this.runtime.beginGeneration(signal);
    try {
      if (options.kv !== undefined) {
        const { kv: sequence } = options;
        const rows = ids.map((prompt) => ({ prompt, sequence, known: 0 }));
        return await generateBatch(this.generator(), rows, sampling, signal, listener);
      }
      const { maxLength, runtime } = this;
      const shared = sharedLength(runtime, ids, sampling);
      const size = { maxNewTokens: sampling.maxNewTokens, shared, maxLength };
      const generations: Generation[] = [];
      for (const turn of turnsOf(runtime.kv, ids, size)) {
        generations.push(...(await this.#runTurn(ids, turn, sampling, signal, listener)));
      }
      return generations;
    } finally {
      end();
    }
  }

  /** Some prompts of a batch, in sequences of their own. */
  async #runTurn(
    prompts: readonly (readonly number[])[],
    { first, end }: Turn,
    sampling: Sampling,
    signal: AbortSignal,
    { onToken, onFinished }: BatchListener,
  ): Promise<Generation[]> {
    const ids = prompts.slice(first, end);
    const own: KvSequence[] = [];
    const listener: BatchListener = {
      onToken: (prompt, token) => onToken?.(first + prompt, token),
      onFinished: (prompt, generation) => onFinished?.(first + prompt, generation),
    };
    const seeded = { ...sampling, seed: (sampling.seed + first) % Number.MAX_SAFE_INTEGER };
    try {
      const rows = await rowsWithSharedPrefix(this.runtime, ids, seeded, signal, (sequence) =>
        own.push(sequence),
      );
      return await generateBatch(this.generator(), rows, seeded, signal, listener);
    } finally {
      for (const sequence of own) sequence.release();
    }
  }

  /** Runs a text in chunks and hands the logits of each to `use`, which must be done with them when it resolves. */
  async #forEachChunk(
    ids: readonly number[],
    { signal, onProgress }: PromptOptions,
    use: (logits: Tensor) => Promise<void>,
  ): Promise<void> {
    using sequence = this.kv.createSequence();
    await forEachChunk(this.runtime, sequence, ids, { signal: interruptSignal(signal), onProgress }, use);
  }

  /** How a notebook shows it: the tree of modules. */
  [Symbol.for("Jupyter.display")](): Record<string, unknown> {
    return modelBundle(this, this);
  }

  /**
   * Gives the memory back: that of keys, values and recorded plans now, that of the weights as soon as garbage is collected, but for
   * modules that another model has, too, which stay whole. All uses of this model throw `MODEL_DISPOSED` from then on, and so does
   * a prompt that runs, at its next chunk. A second call does nothing.
   * @throws PersimmonError MODEL_BUSY while a generation runs
   */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#runtime?.expectIdle("a model cannot be disposed of");
    this.#isDisposed = true;
    this.#runtime?.dispose();
    this.#runtime = undefined;
    const gone = () => {
      throw disposedError();
    };
    this.#makeRuntime = gone;
    for (const name of ["embedTokens", "layers", "finalLayernorm", "lmHead"]) {
      Object.defineProperty(this, name, { get: gone, set: gone, enumerable: false, configurable: true });
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** For generation and the server: what making tokens needs of this model. */
  generator(): Generator {
    const tokenizer = this.#tokenizer;
    return {
      runtime: this.runtime,
      eosTokenIds: this.eosTokenIds,
      maxLength: this.maxLength,
      decodeStream: (prompt) =>
        tokenizer === undefined
          ? { push: () => "", end: () => "", hasNoText: true }
          : knownIdsOnly(tokenizer, tokenizer.decodeStream({ after: prompt })),
    };
  }
}

/** Ids that the model has and the tokenizer lacks (padding rows of an embedding) have no text. */
function knownIdsOnly(tokenizer: Tokenizer, stream: TextDecoderStream): TextDecoderStream {
  return { push: (id) => (id < tokenizer.vocabSize ? stream.push(id) : ""), end: () => stream.end() };
}
