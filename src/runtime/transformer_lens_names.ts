/** Sites of the residual stream, attention and MLP by what TransformerLens calls them below `blocks.N.`. */
const layerNames: Record<string, string> = {
  hook_resid_pre: "in",
  hook_resid_mid: "mid",
  hook_resid_post: "out",
  hook_attn_out: "attn.out",
  hook_mlp_out: "mlp.out",
  "attn.hook_q": "attn.q",
  "attn.hook_k": "attn.k",
  "attn.hook_v": "attn.v",
  "attn.hook_rot_q": "attn.qRot",
  "attn.hook_rot_k": "attn.kRot",
  "attn.hook_pattern": "attn.pattern",
  "attn.hook_z": "attn.z",
  "mlp.hook_pre": "mlp.pre",
  "mlp.hook_post": "mlp.act",
};

/** The site that TransformerLens calls so (`blocks.0.hook_resid_post` is `layers.0.out`); undefined for other names. */
export function siteOfTransformerLens(name: string): string | undefined {
  if (name === "hook_embed") return "embed.out";
  const [, layer, rest] = /^blocks\.(\d+|\*)\.(.+)$/.exec(name) ?? [];
  return rest !== undefined && Object.hasOwn(layerNames, rest)
    ? `layers.${layer}.${layerNames[rest]}`
    : undefined;
}
