import type { PersimmonError } from "../../errors.js";
import type { StoredDType } from "../dtype.js";
import { readPickle } from "../torch_bin/pickle.js";
import { InertObject, PickleGlobal, type PickleValue } from "../torch_bin/pickle_values.js";
import { type TensorView, TorchRules, tensorView, WEIGHT_STORAGES } from "../torch_bin/torch_rules.js";

/** What `model_optim_rng.pt` says. */
export interface MegatronState {
  /** The attributes of `args` that are plain values: text, numbers, true, false and null. */
  args: Map<string, string | number | boolean | null>;
  /** 3 in files of today; it says how the rows of query_key_value lie. */
  checkpointVersion: number | undefined;
  /** The tensors of `model` by their path in it, joined with dots. */
  tensors: Map<string, TensorView>;
}

/** Of random states and optimizers, which a training program keeps beside the weights. */
const STORAGES: ReadonlyMap<string, StoredDType> = new Map([
  ...WEIGHT_STORAGES,
  ["torch.ByteStorage", "uint8"],
  ["torch.LongStorage", "int64"],
  ["torch.IntStorage", "int32"],
]);

/**
 * What such a file may name besides tensors: the arguments that the model was trained with (persimmon-ai-labs/adept-inference,
 * megatron/checkpointing.py and megatron/model/enums.py), and random states of Python, numpy and torch. None is ever run.
 */
const INERT: ReadonlySet<string> = new Set([
  "argparse.Namespace",
  "megatron.model.enums.ModelType",
  "megatron.model.enums.LayerType",
  "megatron.model.enums.AttnType",
  "megatron.model.enums.AttnMaskType",
  "torch.bfloat16",
  "torch.float16",
  "torch.float32",
  "torch.device",
  "torch.Size",
  "numpy.core.multiarray._reconstruct",
  "numpy.ndarray",
  "numpy.dtype",
  "_codecs.encode",
]);

// `model` of the release: dictionaries three deep, 580 tensors.
const DEEPEST = 8;
const MOST_NAMES = 20_000;

/**
 * Reads the `data.pkl` of a Megatron checkpoint: `args`, and `model`, dictionaries of dictionaries of tensors.
 *
 * @throws PersimmonError PICKLE_REFUSED, PICKLE_INVALID
 */
export function readMegatronPickle(bytes: Buffer, where: string): MegatronState {
  const rules = new TorchRules(where, STORAGES, INERT);
  const root = readPickle(bytes, where, rules);
  if (!(root instanceof Map)) throw rules.invalid("expected a dictionary with args and model");
  const version = root.get("checkpoint_version");
  return {
    args: readArgs(root.get("args"), rules),
    checkpointVersion: typeof version === "number" ? version : undefined,
    tensors: flatten(root.get("model"), (message) => rules.invalid(message)),
  };
}

function readArgs(args: PickleValue | undefined, rules: TorchRules): MegatronState["args"] {
  if (!(args instanceof InertObject) || !(args.state instanceof Map)) {
    throw rules.invalid('expected "args" to be an argparse.Namespace');
  }
  const plain: MegatronState["args"] = new Map();
  for (const [name, value] of args.state) {
    if (typeof name !== "string") throw rules.invalid("an argument has no name");
    // torch.bfloat16 and other names stand for themselves.
    const known = value instanceof PickleGlobal ? value.toString() : value;
    if (known === null || typeof known !== "object") plain.set(name, known);
  }
  return plain;
}

function flatten(
  model: PickleValue | undefined,
  invalid: (message: string) => PersimmonError,
): Map<string, TensorView> {
  if (!(model instanceof Map)) throw invalid('expected "model" to be a dictionary');
  const tensors = new Map<string, TensorView>();
  let names = 0;
  const walk = (dictionary: Map<PickleValue, PickleValue>, prefix: string, depth: number) => {
    // A dictionary may contain itself.
    if (depth > DEEPEST) throw invalid(`"model" is more than ${DEEPEST} dictionaries deep`);
    for (const [key, value] of dictionary) {
      if (++names > MOST_NAMES) throw invalid(`"model" has more than ${MOST_NAMES} names`);
      const name = prefix + String(key);
      const view = tensorView(value);
      if (view !== undefined) {
        if (tensors.has(name)) throw invalid(`two tensors are called "${name}"`);
        tensors.set(name, view);
      } else if (value instanceof Map) walk(value, `${name}.`, depth + 1);
      else throw invalid(`expected "model.${name}" to be a tensor or a dictionary`);
    }
  };
  walk(model, "", 1);
  return tensors;
}
