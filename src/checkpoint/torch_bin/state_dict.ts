import { readPickle } from "./pickle.js";
import { type TensorView, TorchRules, tensorView } from "./torch_rules.js";

/**
 * Reads the `data.pkl` of a torch archive: a dictionary from names to tensors.
 *
 * @throws PersimmonError PICKLE_REFUSED for any global but OrderedDict, _rebuild_tensor_v2 and the three storage types;
 *   PICKLE_INVALID for a damaged or contradictory pickle
 */
export function readStateDict(bytes: Buffer, where: string): Map<string, TensorView> {
  const rules = new TorchRules(where);
  const root = readPickle(bytes, where, rules);
  if (!(root instanceof Map)) throw rules.invalid("expected a dictionary of tensors");
  const tensors = new Map<string, TensorView>();
  for (const [name, value] of root) {
    if (typeof name !== "string") throw rules.invalid(`the tensor name ${name} is not text`);
    const view = tensorView(value);
    if (view === undefined) {
      throw rules.invalid(`expected "${name}" to be a tensor; only a plain state dict can be read`);
    }
    tensors.set(name, view);
  }
  return tensors;
}
