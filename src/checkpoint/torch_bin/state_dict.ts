import { PersimmonError } from "../../errors.js";
import type { CheckpointDType } from "../dtype.js";
import { readPickle } from "./pickle.js";
import { PickleGlobal, PickleObject, PickleTuple, type PickleValue } from "./pickle_values.js";

/** A run of elements of one type, kept in the archive entry `data/<key>`. */
export interface Storage {
  key: string;
  dtype: CheckpointDType;
  /** Elements. */
  length: number;
}

/** A tensor as a view of a storage; offset and strides in elements. */
export interface TensorView {
  storage: Storage;
  offset: number;
  shape: number[];
  strides: number[];
}

const STORAGE_TYPES = new Map<string, CheckpointDType>([
  ["torch.BFloat16Storage", "bfloat16"],
  ["torch.FloatStorage", "float32"],
  ["torch.HalfStorage", "float16"],
]);
const ORDERED_DICT = "collections.OrderedDict";
const REBUILD_TENSOR = "torch._utils._rebuild_tensor_v2";
const MOST_DIMENSIONS = 16;

/**
 * Reads the `data.pkl` of a torch archive: a dictionary from names to tensors.
 *
 * @throws PersimmonError PICKLE_REFUSED for any global but OrderedDict, _rebuild_tensor_v2 and the three storage types;
 *   PICKLE_INVALID for a damaged or contradictory pickle
 */
export function readStateDict(bytes: Buffer, where: string): Map<string, TensorView> {
  const rules = new StateDictRules(where);
  const root = readPickle(bytes, where, rules);
  if (!(root instanceof Map)) throw rules.invalid("expected a dictionary of tensors");
  const tensors = new Map<string, TensorView>();
  for (const [name, value] of root) {
    if (typeof name !== "string") throw rules.invalid(`the tensor name ${name} is not text`);
    if (!(value instanceof PickleObject) || !isView(value.value)) {
      throw rules.invalid(`expected "${name}" to be a tensor; only a plain state dict can be read`);
    }
    tensors.set(name, value.value);
  }
  return tensors;
}

function isView(value: unknown): value is TensorView {
  return typeof value === "object" && value !== null && "storage" in value;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

class StateDictRules {
  private readonly storages = new Map<string, Storage>();

  constructor(private readonly where: string) {}

  invalid(message: string): PersimmonError {
    return new PersimmonError("PICKLE_INVALID", `${this.where}: the pickle is damaged: ${message}.`);
  }

  allow(global: PickleGlobal): void {
    const name = global.toString();
    if (name === ORDERED_DICT || name === REBUILD_TENSOR || STORAGE_TYPES.has(name)) return;
    throw new PersimmonError(
      "PICKLE_REFUSED",
      `${this.where}: refused a pickle that refers to ${JSON.stringify(name)}. Nothing was executed. Weights need only ` +
        `${[ORDERED_DICT, REBUILD_TENSOR, ...STORAGE_TYPES.keys()].join(", ")}; convert the file to safetensors.`,
    );
  }

  /** `("storage", type, key, device, length)`. */
  persistentLoad(id: PickleValue): PickleValue {
    const [kind, type, key, device, length] =
      id instanceof PickleTuple && id.items.length === 5 ? id.items : [];
    const dtype = type instanceof PickleGlobal ? STORAGE_TYPES.get(type.toString()) : undefined;
    const sound = kind === "storage" && dtype && typeof key === "string" && typeof device === "string";
    if (!sound || !isCount(length)) throw this.invalid("a reference to a storage has an unknown form");
    const known = this.storages.get(key);
    if (known !== undefined && (known.dtype !== dtype || known.length !== length)) {
      throw this.invalid(`storage "${key}" is declared twice with different types or lengths`);
    }
    const storage = known ?? { key, dtype, length };
    this.storages.set(key, storage);
    return new PickleObject(storage);
  }

  call(callable: PickleGlobal, parameters: PickleValue[]): PickleValue {
    const name = callable.toString();
    if (name === ORDERED_DICT && parameters.length === 0) return new Map();
    if (name === REBUILD_TENSOR) return new PickleObject(this.rebuildTensor(parameters));
    throw this.invalid(`it calls ${name} with ${parameters.length} parameters`);
  }

  /** `(storage, offset, size, stride, requires_grad, backward_hooks[, metadata])`. */
  private rebuildTensor(parameters: PickleValue[]): TensorView {
    const [storage, offset, size, stride] = parameters;
    const sound = (parameters.length === 6 || parameters.length === 7) && storage instanceof PickleObject;
    const shape = size instanceof PickleTuple ? size.items : undefined;
    const strides = stride instanceof PickleTuple ? stride.items : undefined;
    if (!sound || !isCount(offset) || !shape?.every(isCount) || !strides?.every(isCount)) {
      throw this.invalid("a tensor is described in an unknown form");
    }
    if (!isStorage(storage.value) || shape.length !== strides.length || shape.length > MOST_DIMENSIONS) {
      throw this.invalid("a tensor has no storage, or not one stride for each dimension");
    }
    const last = shape.reduce((sum, count, axis) => sum + (count - 1) * strides[axis], offset);
    if (!shape.includes(0) && !(last < storage.value.length)) {
      const { key, length } = storage.value;
      throw this.invalid(
        `a tensor [${shape}] with strides [${strides}] passes the ${length} elements of storage "${key}"`,
      );
    }
    return { storage: storage.value, offset, shape, strides };
  }
}

function isStorage(value: unknown): value is Storage {
  return typeof value === "object" && value !== null && "key" in value;
}
