/**
 * The name in Hugging Face format of a tensor of Adept's release, as the published conversion script replaces it
 * (transformers, convert_persimmon_weights_to_hf.py). Nothing is reshaped or permuted.
 */
export function huggingFaceName(name: string): string {
  return name
    .replace("language_model.embedding.word_embeddings", "model.embed_tokens")
    .replace("language_model.encoder", "model")
    .replace("self_attention", "self_attn")
    .replace("word_embeddings_for_head", "lm_head");
}

/**
 * How tensor parallelism splits a weight, in contiguous parts along an axis; undefined for what every rank has whole: norms,
 * and the biases that are added once after the ranks' sums (Megatron-LM, tensor_parallel/layers.py). Rows of query_key_value
 * lie head by head, so that a part has whole heads.
 */
export function splitAxis(name: string): 0 | 1 | undefined {
  if (/(^|\.)(embed_tokens|lm_head)\.weight$/.test(name)) return 0;
  if (/\.(query_key_value|dense_h_to_4h)\.(weight|bias)$/.test(name)) return 0;
  if (/\.(self_attn\.dense|dense_4h_to_h)\.weight$/.test(name)) return 1;
  return undefined;
}
