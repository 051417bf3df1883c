import { LayerNorm } from "../nn/layer_norm.js";
import type { Linear } from "../nn/linear.js";
import { Module } from "../nn/module.js";
import { isChanged, isTapped, tap } from "../nn/tap.js";
import * as ops from "../tensor/ops/index.js";
import type { Tensor } from "../tensor/tensor.js";

// See DecoderLayer for why there is an interface.
export interface Attention {
  /** hidden → heads · 3 · headDim: q, k and v of a head side by side */
  get queryKeyValue(): Linear;
  set queryKeyValue(module: Module);
  /** [tokens, heads, headDim] → the same; undefined in a model without QK-LayerNorm */
  get qLayernorm(): LayerNorm | undefined;
  set qLayernorm(module: Module | undefined);
  /** as qLayernorm */
  get kLayernorm(): LayerNorm | undefined;
  set kLayernorm(module: Module | undefined);
  /** heads · headDim → hidden */
  get dense(): Linear;
  set dense(module: Module);
}

/**
 * Multi-head attention with LayerNorm on queries and keys (per head, weights shared by the heads of a layer) and rotary
 * embedding of the first dimensions of each head.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor sets all properties of the interface
export class Attention extends Module<[x: Tensor, cache: ops.LayerCache]> {
  readonly heads: number;
  readonly rotary: ops.RotaryTables;

  constructor(
    parts: { queryKeyValue: Module; dense: Module; qLayernorm?: Module; kLayernorm?: Module },
    heads: number,
    rotary: ops.RotaryTables,
  ) {
    super();
    this.queryKeyValue = parts.queryKeyValue;
    this.qLayernorm = parts.qLayernorm;
    this.kLayernorm = parts.kLayernorm;
    this.dense = parts.dense;
    this.heads = heads;
    this.rotary = rotary;
  }

  protected override forward(x: Tensor, cache: ops.LayerCache): Tensor {
    const qkv = this.queryKeyValue.call(x); // [tokens, heads · 3 · headDim]
    const z = this.fused(qkv, cache) ?? this.stepByStep(qkv, cache); // [tokens, heads · headDim]
    return this.dense.call(tap("z", z)); // [tokens, hidden]
  }

  /** The definition. */
  private stepByStep(qkv: Tensor, cache: ops.LayerCache): Tensor {
    const split = ops.splitHeads(qkv, this.heads); // each [tokens, heads, headDim]
    const q = tap("q", this.qLayernorm?.call(split.q) ?? split.q);
    const k = tap("k", this.kLayernorm?.call(split.k) ?? split.k);
    const v = tap("v", split.v);
    const qRot = tap("qRot", ops.rotary(q, this.rotary, cache.positions));
    const kRot = tap("kRot", ops.rotary(k, this.rotary, cache.positions));
    ops.cacheAppend(kRot, v, cache);
    const pattern = tap("pattern", ops.attentionPattern(qRot, cache)); // [tokens, heads, keys]
    return ops.attentionValues(pattern, cache);
  }

  /**
   * The same in one kernel, bit for bit. Not taken where the pattern is looked at (the kernel never holds it as a whole),
   * where an inner value is changed, or a norm was swapped for a module of another kind.
   */
  private fused(qkv: Tensor, cache: ops.LayerCache): Tensor | undefined {
    const q: Module | undefined = this.qLayernorm;
    const k: Module | undefined = this.kLayernorm;
    if (isTapped("pattern") || innerSites.some((site) => isChanged(site))) return undefined;
    let norms: Parameters<typeof ops.fusedAttention>[2];
    if (isPlainNorm(q) && isPlainNorm(k) && q.epsilon === k.epsilon) {
      norms = { q, k, epsilon: q.epsilon };
    } else if (q !== undefined || k !== undefined) {
      return undefined;
    }
    const taps = innerSites.filter((site) => isTapped(site));
    const { z, ...inner } = ops.fusedAttention(qkv, this.heads, norms, this.rotary, cache, taps);
    for (const site of taps) tap(site, inner[site] as Tensor);
    return z;
  }
}

const innerSites: readonly ops.AttentionTap[] = ["q", "k", "v", "qRot", "kRot"];

/** A LayerNorm itself, not a subclass with a forward of its own. */
function isPlainNorm(module: Module | undefined): module is LayerNorm {
  return module?.constructor === LayerNorm;
}
