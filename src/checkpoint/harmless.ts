/**
 * Tensors that some converters leave in a checkpoint and that hold nothing: the rotary frequencies follow from the
 * config (Adept's conversion script drops the same names).
 */
export function isHarmless(name: string): boolean {
  return /(^|\.)rotary_emb\.inv_freq$/.test(name);
}
