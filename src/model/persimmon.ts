import type { Embedding } from "../nn/embedding.js";
import type { LayerNorm } from "../nn/layer_norm.js";
import type { Linear } from "../nn/linear.js";
import { Module } from "../nn/module.js";
import { tap } from "../nn/tap.js";
import * as ops from "../tensor/ops/index.js";
import type { Tensor } from "../tensor/tensor.js";
import type { PersimmonConfig } from "./config.js";
import type { DecoderLayer } from "./decoder_layer.js";
import type { Step } from "./step.js";

/** The modules of a Persimmon, under their names in the checkpoint. */
export interface PersimmonParts {
  embedTokens: Module;
  layers: DecoderLayer[];
  finalLayernorm: Module;
  lmHead: Module;
}

// See DecoderLayer for why there is an interface.
export interface Persimmon {
  /** ids [tokens] → [tokens, hidden] */
  get embedTokens(): Embedding;
  set embedTokens(module: Module);
  layers: DecoderLayer[];
  get finalLayernorm(): LayerNorm;
  set finalLayernorm(module: Module);
  /** [rows, hidden] → [rows, vocabulary] */
  get lmHead(): Linear;
  set lmHead(module: Module);
}

/**
 * Persimmon (Adept, September 2023): a decoder with sequential pre-norm layers, LayerNorm on queries and keys, rotary
 * embedding on half of each head, squared ReLU and an untied head.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor sets all properties of the interface
export class Persimmon extends Module<[step: Step]> {
  readonly config: PersimmonConfig;

  constructor(config: PersimmonConfig, parts: PersimmonParts) {
    super();
    this.config = config;
    this.embedTokens = parts.embedTokens;
    this.layers = parts.layers;
    this.finalLayernorm = parts.finalLayernorm;
    this.lmHead = parts.lmHead;
  }

  /** The logits of the wanted rows, [rows, vocabulary]. */
  protected override forward(step: Step): Tensor {
    let x = tap("embed.out", this.embedTokens.call(step.ids)); // [tokens, hidden]
    for (const [n, layer] of this.layers.entries()) x = layer.call(x, step.cache(n));
    x = tap("finalNorm.out", this.finalLayernorm.call(x));
    if (step.logitRows !== undefined) x = ops.embedding(x, step.logitRows); // [rows, hidden]
    return tap("logits", this.lmHead.call(x)); // [rows, vocabulary]
  }
}
