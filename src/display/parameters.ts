import { childrenOf } from "../nn/path.js";
import type { DType } from "../tensor/dtype.js";
import { Tensor } from "../tensor/tensor.js";

/** A tensor that a module holds as its own property: its weights. */
export interface Parameter {
  name: string;
  shape: readonly number[];
  dtype: DType;
  count: number;
  bytes: number;
}

/** A module with what it holds and the modules below it. */
export interface ModuleNode {
  /** Its name within the module above: `selfAttn`, `layers.3`. */
  name: string;
  /** The name of its class. */
  kind: string;
  parameters: Parameter[];
  children: ModuleNode[];
  /** Numbers in its tensors and in those below it; a tensor that stands in two places below counts once. */
  count: number;
  bytes: number;
}

/** The tree of modules and weights below a model or one of its parts, read from its properties. */
export function moduleNode(module: object, name = "", above: readonly object[] = []): ModuleNode {
  const tensors = new Set<Tensor>();
  collect(module, tensors, []);
  const own = Object.entries(module).filter((entry): entry is [string, Tensor] => entry[1] instanceof Tensor);
  const inside = [...above, module];
  return {
    name,
    kind: module.constructor.name,
    parameters: own.map(([key, tensor]) => ({
      name: key,
      shape: tensor.shape,
      dtype: tensor.dtype,
      count: tensor.size,
      bytes: tensor.byteLength,
    })),
    children: childrenOf(module)
      .filter(([, child]) => !inside.includes(child))
      .map(([key, child]) => moduleNode(child, key, inside)),
    count: [...tensors].reduce((sum, tensor) => sum + tensor.size, 0),
    bytes: [...tensors].reduce((sum, tensor) => sum + tensor.byteLength, 0),
  };
}

function collect(module: object, tensors: Set<Tensor>, above: readonly object[]): void {
  for (const value of Object.values(module)) if (value instanceof Tensor) tensors.add(value);
  for (const [, child] of childrenOf(module)) {
    if (!above.includes(child)) collect(child, tensors, [...above, module]);
  }
}
