import { PersimmonError } from "../../errors.js";
import type { MegatronState } from "./megatron_pickle.js";

/** Defaults of Adept's command line for arguments that its files may lack (adept-inference, megatron/arguments.py). */
const DEFAULT_EPSILON = 1e-5;
const DEFAULT_THETA = 25_000;

/**
 * What config.json would say of a model of Adept's release: its `args`, under the names of transformers. The ids at which
 * a text begins and ends are in the vocabulary and not here.
 *
 * @throws PersimmonError CONFIG_INVALID where an argument is missing, CONFIG_UNSUPPORTED for an architecture that is not
 *   Persimmon's
 */
export function configOfArgs(
  { args, checkpointVersion }: MegatronState,
  where: string,
): Record<string, unknown> {
  const unsupported = (name: string, expected: string, found: unknown) =>
    new PersimmonError(
      "CONFIG_UNSUPPORTED",
      `${where}: args.${name} must be ${expected}, but is ${JSON.stringify(found)}.`,
    );
  const expect = (name: string, expected: readonly unknown[]) => {
    const found = args.get(name);
    if (found !== undefined && !expected.includes(found)) {
      throw unsupported(name, expected.map((value) => JSON.stringify(value)).join(" or "), found);
    }
  };
  const size = (name: string): unknown => {
    const found = args.get(name);
    if (found !== undefined) return found;
    throw new PersimmonError(
      "CONFIG_INVALID",
      `${where}: args lack "${name}", which the shape of the model follows from.`,
    );
  };
  if (checkpointVersion !== undefined && checkpointVersion < 2) {
    const order = "before version 2 the rows of query_key_value lie in another order";
    throw new PersimmonError(
      "CONFIG_UNSUPPORTED",
      `${where}: checkpoint_version must be at least 2, but is ${checkpointVersion}: ${order}. Load and save it with Megatron.`,
    );
  }
  for (const name of ["pos_emb", "sq_relu"]) size(name); // without them Megatron means another architecture
  expect("pos_emb", ["rotary"]);
  expect("sq_relu", [true]);
  expect("apply_residual_connection_post_layernorm", [false, null]);
  expect("add_position_embedding", [false, null]);
  const heads = size("num_attention_heads");
  const hidden = size("hidden_size");
  expect("kv_channels", [null, Number(hidden) / Number(heads)]);
  return {
    architectures: ["PersimmonForCausalLM"],
    model_type: "persimmon",
    vocab_size: size("padded_vocab_size"),
    hidden_size: hidden,
    intermediate_size: size("ffn_hidden_size"),
    num_hidden_layers: size("num_layers"),
    num_attention_heads: heads,
    hidden_act: "relu2",
    max_position_embeddings: size("max_position_embeddings"),
    layer_norm_eps: args.get("layernorm_epsilon") ?? DEFAULT_EPSILON,
    rope_parameters: {
      rope_type: "default",
      rope_theta: args.get("rotary_emb_base") ?? DEFAULT_THETA,
      partial_rotary_factor: args.get("rotary_pct") ?? 1,
    },
    qk_layernorm: qkLayernorm(args.get("qk_layernorm"), unsupported),
    tie_word_embeddings: args.get("untie_embeddings") !== true,
    bos_token_id: null,
    eos_token_id: null,
    attention_dropout: 0,
    hidden_dropout: 0,
    dtype: dtypeOf(args),
  };
}

/** Norms of each head of their own have no place in Hugging Face format; those of each rank are compared when merged. */
function qkLayernorm(
  mode: unknown,
  unsupported: (name: string, expected: string, found: unknown) => Error,
): boolean {
  if (mode === undefined || mode === null || mode === false || mode === "none") return false;
  if (mode === true || mode === "weights_per_layer" || mode === "weights_per_tensor_parallel_rank_and_layer")
    return true;
  throw unsupported(
    "qk_layernorm",
    '"none", "weights_per_layer" or "weights_per_tensor_parallel_rank_and_layer"',
    mode,
  );
}

function dtypeOf(args: MegatronState["args"]): string {
  if (args.get("bf16") === true) return "bfloat16";
  return args.get("fp16") === true ? "float16" : "float32";
}
