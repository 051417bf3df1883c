/** Persimmon-8B, and models of the same 36 layers, 262,144 rows and 580 tensors with fewer numbers. */

export const VOCABULARY = 262_144;
export const LAYERS = 36;
export const HEAD_DIM = 64;

/** Ids that no text has, first to last + 1; and the id at which texts end. */
export const UNUSED = [3, 70_003];
export const END_OF_TEXT = 71_013;

/** The width of a model with about `1 / scale` of the numbers: whole heads, so that int4 can round its rows. */
export function hiddenSizeFor(/** @type {number} */ scale) {
  const wanted = parameters(4096) / scale;
  let best = HEAD_DIM;
  for (let hidden = HEAD_DIM; hidden <= 4096; hidden += HEAD_DIM) {
    if (Math.abs(parameters(hidden) - wanted) < Math.abs(parameters(best) - wanted)) best = hidden;
  }
  return best;
}

function parameters(/** @type {number} */ hidden) {
  return tensorsOf(hidden).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}

/**
 * The tensors in the order of the modules of transformers, in which the hub's shards are cut.
 * @param {number} hidden
 * @returns {{ name: string, shape: number[] }[]}
 */
export function tensorsOf(hidden) {
  /** @type {{ name: string, shape: number[] }[]} */
  const tensors = [{ name: "model.embed_tokens.weight", shape: [VOCABULARY, hidden] }];
  const pair = (/** @type {string} */ name, /** @type {number[]} */ shape) => {
    tensors.push({ name: `${name}.weight`, shape }, { name: `${name}.bias`, shape: [shape[0]] });
  };
  for (let n = 0; n < LAYERS; n++) {
    const layer = `model.layers.${n}`;
    pair(`${layer}.self_attn.query_key_value`, [3 * hidden, hidden]);
    pair(`${layer}.self_attn.dense`, [hidden, hidden]);
    pair(`${layer}.self_attn.q_layernorm`, [HEAD_DIM]);
    pair(`${layer}.self_attn.k_layernorm`, [HEAD_DIM]);
    pair(`${layer}.mlp.dense_h_to_4h`, [4 * hidden, hidden]);
    pair(`${layer}.mlp.dense_4h_to_h`, [hidden, 4 * hidden]);
    pair(`${layer}.input_layernorm`, [hidden]);
    pair(`${layer}.post_attention_layernorm`, [hidden]);
  }
  pair("model.final_layernorm", [hidden]);
  tensors.push({ name: "lm_head.weight", shape: [VOCABULARY, hidden] });
  return tensors;
}

/** config.json as it is on the hub, with its stale keys and without `partial_rotary_factor`. */
export function hubConfig(/** @type {number} */ hidden) {
  return {
    architectures: ["PersimmonForCausalLM"],
    bos_token_id: END_OF_TEXT,
    eos_token_id: END_OF_TEXT,
    hidden_act: "relu2",
    hidden_dropout: 0.6,
    hidden_size: hidden,
    initializer_range: 0.02,
    intermediate_size: 4 * hidden,
    layer_norm_eps: 1e-5,
    max_position_embeddings: 16_384,
    model_type: "persimmon",
    num_attention_heads: hidden / HEAD_DIM,
    num_hidden_layers: LAYERS,
    num_key_value_heads: hidden / HEAD_DIM,
    pretraining_tp: 1,
    qk_layernorm: true,
    rms_norm_eps: 1e-6,
    rope_scaling: null,
    rope_theta: 25_000.0,
    tie_word_embeddings: false,
    torch_dtype: "bfloat16",
    transformers_version: "4.34.0.dev0",
    use_cache: true,
    vocab_size: VOCABULARY,
  };
}
