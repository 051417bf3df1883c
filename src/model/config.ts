import { PersimmonError } from "../errors.js";

/** Scaling of the rotary frequencies: `linear` divides each float32 inverse frequency by `factor` in float32. */
export interface RopeScaling {
  type: "linear";
  factor: number;
}

/** The shape and constants of a Persimmon model. The defaults named here are those of an absent key. */
export interface PersimmonConfig {
  /** Rows of the embedding and of the head; 262144. */
  vocabSize: number;
  /** Width of the residual stream; 4096. */
  hiddenSize: number;
  /** Width of the MLP between its two linear layers; 16384. */
  intermediateSize: number;
  /** 36. */
  numHiddenLayers: number;
  /** 64; always a divisor of `hiddenSize`. There are as many keys and values as queries. */
  numAttentionHeads: number;
  /** `hiddenSize / numAttentionHeads`. */
  headDim: number;
  /** Leading dimensions of each head that are rotated: `trunc(headDim * partialRotaryFactor)`, even, 0..headDim. */
  rotaryDims: number;
  /** Base of the rotary wavelengths; 10000 when no key says it. */
  ropeTheta: number;
  /** Absent when the frequencies are used as they are. */
  ropeScaling: RopeScaling | undefined;
  /** Fraction of each head that is rotated; 0.5. */
  partialRotaryFactor: number;
  /** Longest context that the model was made for; 16384. It is a limit, not a table size. */
  maxPositionEmbeddings: number;
  /** Added to the variance in every LayerNorm, the query and key norms included; 1e-5. */
  layerNormEps: number;
  /** Whether queries and keys pass a LayerNorm over the head dimension; true. */
  qkLayernorm: boolean;
  /** Whether the head reuses the embedding matrix; false. */
  tieWordEmbeddings: boolean;
  hiddenAct: "relu2";
  /** 1; undefined when the file says null or a negative number. May lie outside the vocabulary, as on the hub. */
  bosTokenId: number | undefined;
  /** [2]; empty when the file says null. */
  eosTokenIds: number[];
  padTokenId: number | undefined;
  /**
   * Ids `first` to `end` (exclusive) whose rows the embedding and the head of the file leave out, since no text has them
   * (`persimmon convert --drop-unused-rows`; key `dropped_token_ids`). All other ids stay what they are.
   */
  droppedTokenIds?: readonly [first: number, end: number];
  /** What the file says its weights are; the weight files themselves decide. */
  torchDtype: "float32" | "bfloat16" | "float16" | undefined;
}

type JsonObject = Record<string, unknown>;

// Bounds that no real model meets: beyond them a file is damaged, and a shape computed from it could exhaust memory.
const LARGEST_WIDTH = 2 ** 20;
const LARGEST_COUNT = 2 ** 24;
const LARGEST_DEPTH = 10_000;

/**
 * Theta of a config.json that names none. transformers 5.18 uses 10000 for it; classes before 5.0 used 25000, but they
 * always wrote the key when they saved, so a file without it was not written by them. The current class decides.
 */
const DEFAULT_THETA = 10_000;

/** Described as a person would: the value and what kind of thing it is. */
function found(value: unknown): string {
  if (value === undefined) return "it is absent";
  const text = JSON.stringify(value);
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  const kind = value === null ? "" : Array.isArray(value) ? " (a list)" : ` (a ${typeof value})`;
  return `found ${shown}${kind}`;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Reads single keys of one JSON object; each error names the file, the key, what was expected and what was found. */
class Fields {
  constructor(
    private readonly json: JsonObject,
    private readonly where: string,
    private readonly prefix = "",
  ) {}

  get(key: string): unknown {
    return Object.hasOwn(this.json, key) ? this.json[key] : undefined;
  }

  invalid(key: string, expected: string, code = "CONFIG_INVALID"): PersimmonError {
    return new PersimmonError(
      code,
      `${this.where}: "${this.prefix}${key}" must be ${expected}, but ${found(this.get(key))}.`,
    );
  }

  size(key: string, fallback: number, largest: number): number {
    const value = this.get(key) === undefined ? fallback : this.get(key);
    if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= largest) return value;
    throw this.invalid(key, `a whole number from 1 to ${largest}`);
  }

  number(key: string, fallback: number, expected: string, accepts: (value: number) => boolean): number {
    const value = this.get(key) === undefined ? fallback : this.get(key);
    if (typeof value === "number" && Number.isFinite(value) && accepts(value)) return value;
    throw this.invalid(key, expected);
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.get(key) === undefined ? fallback : this.get(key);
    if (typeof value === "boolean") return value;
    throw this.invalid(key, "true or false");
  }

  /** A dictionary that may be absent, null or empty; the last two mean the same as the first. */
  dictionary(key: string): JsonObject | undefined {
    const value = this.get(key);
    if (value === undefined || value === null) return undefined;
    if (!isObject(value)) throw this.invalid(key, "an object or null");
    return Object.keys(value).length === 0 ? undefined : value;
  }

  /** Token ids: one, a list or null. Negative ones mean "none", as pad_token_id -1 does in files on the hub. */
  tokenIds(key: string, fallback: number[]): number[] {
    const value = this.get(key);
    if (value === undefined) return fallback;
    if (value === null) return [];
    const list: unknown[] = Array.isArray(value) ? value : [value];
    const bad = list.some((id) => typeof id !== "number" || !Number.isInteger(id) || Math.abs(id) >= 2 ** 31);
    if (bad) throw this.invalid(key, "a token id, a list of token ids or null");
    return [...new Set(list as number[])].filter((id) => id >= 0);
  }

  tokenId(key: string, fallback: number | undefined): number | undefined {
    if (Array.isArray(this.get(key))) throw this.invalid(key, "a token id or null");
    return this.tokenIds(key, fallback === undefined ? [] : [fallback])[0];
  }
}

/** The ids at which generation begins, ends and pads, as config.json and generation_config.json both give them. */
export interface SpecialTokenIds {
  bosTokenId: number | undefined;
  eosTokenIds: number[];
  padTokenId: number | undefined;
}

/**
 * Reads `bos_token_id`, `eos_token_id` and `pad_token_id` of a parsed JSON file; what is absent comes from `fallback`.
 *
 * @throws PersimmonError CONFIG_INVALID
 */
export function parseSpecialTokenIds(
  json: unknown,
  where: string,
  fallback: SpecialTokenIds,
): SpecialTokenIds {
  const fields = new Fields(asObject(json, where), where);
  return {
    bosTokenId: fields.tokenId("bos_token_id", fallback.bosTokenId),
    eosTokenIds: fields.tokenIds("eos_token_id", fallback.eosTokenIds),
    padTokenId: fields.tokenId("pad_token_id", fallback.padTokenId),
  };
}

function asObject(json: unknown, where: string): JsonObject {
  if (isObject(json)) return json;
  throw new PersimmonError("CONFIG_INVALID", `${where}: expected a JSON object, but ${found(json)}.`);
}

/**
 * Reads a parsed config.json of any dialect: that of transformers 4.x and of the hub (`rope_theta`, `rope_scaling`,
 * `torch_dtype` at the top level) and that of 5.x (`rope_parameters`, `dtype`). Keys without a meaning for inference
 * (`rms_norm_eps`, `num_key_value_heads`, `pretraining_tp`, `hidden_dropout`, ...) are ignored, as transformers does.
 *
 * @param where how to call the file in an error, such as its path
 * @throws PersimmonError CONFIG_INVALID for a wrong type or an impossible value, CONFIG_UNSUPPORTED for a model,
 *   activation, number format or rope type that this library has no code for
 */
export function parseConfig(json: unknown, where = "config.json"): PersimmonConfig {
  const fields = new Fields(asObject(json, where), where);
  const modelType = fields.get("model_type");
  if (modelType !== undefined && modelType !== "persimmon") {
    throw fields.invalid("model_type", '"persimmon"', "CONFIG_UNSUPPORTED");
  }
  const hiddenAct = fields.get("hidden_act") === undefined ? "relu2" : fields.get("hidden_act");
  if (hiddenAct !== "relu2") throw fields.invalid("hidden_act", '"relu2"', "CONFIG_UNSUPPORTED");

  const hiddenSize = fields.size("hidden_size", 4096, LARGEST_WIDTH);
  const numAttentionHeads = fields.size("num_attention_heads", 64, LARGEST_WIDTH);
  if (hiddenSize % numAttentionHeads !== 0) {
    const message = `${where}: "hidden_size" must be a multiple of "num_attention_heads"`;
    throw new PersimmonError(
      "CONFIG_INVALID",
      `${message}, but found ${hiddenSize} and ${numAttentionHeads}.`,
    );
  }
  const headDim = hiddenSize / numAttentionHeads;
  const statedHeadDim = fields.get("head_dim");
  if (statedHeadDim !== undefined && statedHeadDim !== null && statedHeadDim !== headDim) {
    throw fields.invalid("head_dim", `hidden_size / num_attention_heads = ${headDim} or absent`);
  }
  const rope = parseRope(fields, where);
  const vocabSize = fields.size("vocab_size", 262_144, LARGEST_COUNT);
  const droppedTokenIds = parseDroppedIds(fields, vocabSize);
  const specialTokens = { bosTokenId: 1, eosTokenIds: [2], padTokenId: undefined };
  return {
    vocabSize,
    ...(droppedTokenIds && { droppedTokenIds }),
    hiddenSize,
    intermediateSize: fields.size("intermediate_size", 16_384, LARGEST_COUNT),
    numHiddenLayers: fields.size("num_hidden_layers", 36, LARGEST_DEPTH),
    numAttentionHeads,
    headDim,
    rotaryDims: rotaryDims(headDim, rope.partialRotaryFactor, where),
    ...rope,
    maxPositionEmbeddings: fields.size("max_position_embeddings", 16_384, LARGEST_COUNT),
    layerNormEps: fields.number("layer_norm_eps", 1e-5, "a number of at least 0", (value) => value >= 0),
    qkLayernorm: fields.boolean("qk_layernorm", true),
    tieWordEmbeddings: fields.boolean("tie_word_embeddings", false),
    hiddenAct,
    ...parseSpecialTokenIds(json, where, specialTokens),
    torchDtype: parseDtype(fields),
  };
}

function parseDroppedIds(fields: Fields, vocabSize: number): readonly [number, number] | undefined {
  const key = "dropped_token_ids";
  const value = fields.get(key);
  if (value === undefined || value === null) return undefined;
  const [first, end] = Array.isArray(value) && value.length === 2 ? (value as unknown[]) : [];
  const sound = Number.isInteger(first) && Number.isInteger(end);
  if (sound && (first as number) > 0 && (first as number) < (end as number) && (end as number) < vocabSize) {
    return [first as number, end as number];
  }
  throw fields.invalid(key, `[first, end], two ids in order between 0 and ${vocabSize}`);
}

/** Rows that the embedding and the head have in the file. */
export function storedVocabulary({ vocabSize, droppedTokenIds: dropped }: PersimmonConfig): number {
  return dropped === undefined ? vocabSize : vocabSize - (dropped[1] - dropped[0]);
}

type Rope = Pick<PersimmonConfig, "ropeTheta" | "ropeScaling" | "partialRotaryFactor">;

/**
 * Precedence as in transformers 5.18 (tried): a non-empty `rope_scaling` replaces `rope_parameters` as a whole; a key
 * in that dictionary wins over the same key at the top level (5.x leaves a stale `partial_rotary_factor: 0.5` there);
 * `rope_type` wins over the older `type`. Null for theta or the factor makes transformers fail, so it is an error here.
 */
function parseRope(fields: Fields, where: string): Rope {
  const key = fields.dictionary("rope_scaling") ? "rope_scaling" : "rope_parameters";
  const dictionary = new Fields(fields.dictionary(key) ?? {}, where, `${key}.`);
  const source = (name: string) => (dictionary.get(name) === undefined ? fields : dictionary);

  const typeKey = dictionary.get("rope_type") === undefined ? "type" : "rope_type";
  const type = dictionary.get(typeKey) ?? "default";
  if (type !== "default" && type !== "linear") {
    // "dynamic" equals "default" up to max_position_embeddings only; "yarn", "longrope" and "llama3" are other methods.
    throw dictionary.invalid(typeKey, '"default" or "linear"', "CONFIG_UNSUPPORTED");
  }
  const positive = (value: number) => value > 0;
  const factor = () => dictionary.number("factor", Number.NaN, "a number greater than 0", positive);
  return {
    ropeTheta: source("rope_theta").number("rope_theta", DEFAULT_THETA, "a number greater than 0", positive),
    partialRotaryFactor: source("partial_rotary_factor").number(
      "partial_rotary_factor",
      0.5,
      "a number from 0 to 1",
      (value) => value >= 0 && value <= 1,
    ),
    ropeScaling: type === "linear" ? { type, factor: factor() } : undefined,
  };
}

function rotaryDims(headDim: number, factor: number, where: string): number {
  // transformers: int(head_dim * factor). It accepts an odd result and then fails in the first forward pass, where
  // the tables are one wider than the slice that they rotate.
  const dims = Math.trunc(headDim * factor);
  if (dims % 2 === 0) return dims;
  throw new PersimmonError(
    "CONFIG_INVALID",
    `${where}: "partial_rotary_factor" must rotate an even number of dimensions, but ${factor} of the head dimension ` +
      `${headDim} is ${dims}.`,
  );
}

function parseDtype(fields: Fields): PersimmonConfig["torchDtype"] {
  const key = fields.get("dtype") === undefined || fields.get("dtype") === null ? "torch_dtype" : "dtype";
  const value = fields.get(key);
  if (value === undefined || value === null) return undefined;
  const name = typeof value === "string" ? value.replace(/^torch\./, "") : value;
  if (name === "float32" || name === "bfloat16" || name === "float16") return name;
  throw fields.invalid(key, '"float32", "bfloat16" or "float16"', "CONFIG_UNSUPPORTED");
}

/**
 * Every tensor that a checkpoint of this configuration holds, with its shape. Linear weights are [out, in]; every
 * linear layer but the head has a bias. Without `qkLayernorm` there are no query and key norms, and with
 * `tieWordEmbeddings` there is no `lm_head.weight`.
 */
export function expectedTensors(config: PersimmonConfig): Map<string, number[]> {
  const { hiddenSize: hidden, intermediateSize: intermediate, headDim } = config;
  const storedRows = storedVocabulary(config);
  const tensors = new Map<string, number[]>();
  const linear = (name: string, outFeatures: number, inFeatures: number) => {
    tensors.set(`${name}.weight`, [outFeatures, inFeatures]).set(`${name}.bias`, [outFeatures]);
  };
  const norm = (name: string, width: number) => {
    tensors.set(`${name}.weight`, [width]).set(`${name}.bias`, [width]);
  };
  tensors.set("model.embed_tokens.weight", [storedRows, hidden]);
  for (let index = 0; index < config.numHiddenLayers; index++) {
    const layer = `model.layers.${index}`;
    norm(`${layer}.input_layernorm`, hidden);
    linear(`${layer}.self_attn.query_key_value`, 3 * hidden, hidden);
    if (config.qkLayernorm) {
      norm(`${layer}.self_attn.q_layernorm`, headDim);
      norm(`${layer}.self_attn.k_layernorm`, headDim);
    }
    linear(`${layer}.self_attn.dense`, hidden, hidden);
    norm(`${layer}.post_attention_layernorm`, hidden);
    linear(`${layer}.mlp.dense_h_to_4h`, intermediate, hidden);
    linear(`${layer}.mlp.dense_4h_to_h`, hidden, intermediate);
  }
  norm("model.final_layernorm", hidden);
  if (!config.tieWordEmbeddings) tensors.set("lm_head.weight", [storedRows, hidden]);
  return tensors;
}
