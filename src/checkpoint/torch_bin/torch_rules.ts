import { PersimmonError } from "../../errors.js";
import type { StoredDType } from "../dtype.js";
import type { PickleRules } from "./pickle.js";
import { PickleGlobal, PickleObject, PickleTuple, type PickleValue } from "./pickle_values.js";

/** A run of elements of one type, kept in the archive entry `data/<key>`. */
export interface Storage {
  key: string;
  dtype: StoredDType;
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

/** The types of weights. */
export const WEIGHT_STORAGES: ReadonlyMap<string, StoredDType> = new Map([
  ["torch.BFloat16Storage", "bfloat16"],
  ["torch.FloatStorage", "float32"],
  ["torch.HalfStorage", "float16"],
]);
const ORDERED_DICT = "collections.OrderedDict";
const REBUILD_TENSOR = "torch._utils._rebuild_tensor_v2";
const MOST_DIMENSIONS = 16;

/** The tensor that a value of a pickle stands for, if it is one. */
export function tensorView(value: PickleValue | undefined): TensorView | undefined {
  if (!(value instanceof PickleObject)) return undefined;
  const view = value.value as Partial<TensorView>;
  return view.storage === undefined ? undefined : (view as TensorView);
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** How torch writes tensors into a pickle; `inert` names what else may be there, as data. */
export class TorchRules implements PickleRules {
  readonly globals: ReadonlySet<string>;

  private readonly storages = new Map<string, Storage>();

  constructor(
    private readonly where: string,
    private readonly storageTypes: ReadonlyMap<string, StoredDType> = WEIGHT_STORAGES,
    readonly inert: ReadonlySet<string> = new Set(),
  ) {
    this.globals = new Set([ORDERED_DICT, REBUILD_TENSOR, ...storageTypes.keys(), ...inert]);
  }

  invalid(message: string): PersimmonError {
    return new PersimmonError("PICKLE_INVALID", `${this.where}: the pickle is damaged: ${message}.`);
  }

  /** `("storage", type, key, device, length)`. */
  persistentLoad(id: PickleValue): PickleValue {
    const [kind, type, key, device, length] =
      id instanceof PickleTuple && id.items.length === 5 ? id.items : [];
    const dtype = type instanceof PickleGlobal ? this.storageTypes.get(type.toString()) : undefined;
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
