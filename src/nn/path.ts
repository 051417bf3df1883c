/**
 * Names of places in a running forward pass. The tree of names is made by walking a model's own properties
 * (`layers.3.selfAttn.dense`), once for each set of modules; while the pass runs, `enterModule` follows it down. A module
 * that stands in two places has a name in each.
 */
import { PersimmonError } from "../errors.js";
import { Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";

interface Place {
  readonly path: string;
  /** The places at which a module stands below this one, in the order of the walk. */
  readonly below: Map<object, Place[]>;
  /** How often each module was entered since this place was. */
  readonly entered: Map<object, number>;
}

let current: Place | undefined;

/** Children of a module: own properties that are modules, or arrays of them. */
export function childrenOf(module: object): [name: string, child: Module<never[], unknown>][] {
  const children: [string, Module<never[], unknown>][] = [];
  for (const [name, value] of Object.entries(module)) {
    if (value instanceof Module) children.push([name, value]);
    if (!Array.isArray(value)) continue;
    for (const [index, element] of value.entries()) {
      if (element instanceof Module) children.push([`${name}.${index}`, element]);
    }
  }
  return children;
}

function place(module: object, path: string, above: readonly object[]): Place {
  const below = new Map<object, Place[]>();
  for (const [name, child] of childrenOf(module)) {
    // A module below itself (a wrapper that refers to its model, say) is not followed again.
    if (above.includes(child)) continue;
    const childPlace = place(child, path === "" ? name : `${path}.${name}`, [...above, child]);
    below.set(child, [...(below.get(child) ?? []), childPlace]);
  }
  return { path, below, entered: new Map() };
}

/** Runs `f` as a pass of the whole model `root`: the modules called inside get their names from its tree. */
export function withNames<T>(root: object, f: () => T): T {
  const outer = current;
  current = place(root, "", [root]);
  finished = undefined;
  try {
    return f();
  } finally {
    current = outer;
  }
}

/** Runs `f` with the names of `module`'s place. */
export function enterModule<T>(module: object, f: () => T): T {
  const outer = current;
  const places = outer?.below.get(module);
  if (outer === undefined || places === undefined) return f();
  const times = outer.entered.get(module) ?? 0;
  outer.entered.set(module, times + 1);
  current = places[times % places.length];
  current.entered.clear();
  try {
    return f();
  } finally {
    current = outer;
  }
}

/** The module that has finished last: the one whose result the next op most likely works on. */
let finished: { where: string; gave: string } | undefined;

/** Remembers what a module that has just run gave back, for messages. */
export function finish(module: object, result: unknown): void {
  if (current === undefined) return;
  finished = { where: here(module), gave: described(result) };
}

const placed = new WeakSet<object>();

/**
 * An error with the place at which it happened. That of an op also says what the module before gave: of a swapped module that
 * does not fit, the op after it is the first to know.
 */
export function withPlace(error: unknown, module: object): unknown {
  if (current === undefined) return error;
  if (!(error instanceof PersimmonError)) return moduleError(error, here(module));
  if (placed.has(error)) return error;
  if (error.code !== "SHAPE_MISMATCH" && error.code !== "ARGUMENT_INVALID") return error;
  const before = finished === undefined ? "" : `; ${finished.where} ran before and gave ${finished.gave}`;
  const found = new PersimmonError(error.code, `in ${here(module)}: ${error.message}${before}`, {
    cause: error,
  });
  placed.add(found);
  return found;
}

/**
 * What a module's own JavaScript threw, as `MODULE_FAILED` with the place. Errors with a code, of this library or of the addon,
 * stay what they are.
 * @param where such as `layers.0.mlp (Gate)`
 */
export function moduleError(error: unknown, where: string): unknown {
  if (typeof (error as { code?: unknown } | null | undefined)?.code === "string") return error;
  const message = error instanceof Error ? error.message : String(error);
  return new PersimmonError("MODULE_FAILED", `${where} threw: ${message}`, { cause: error });
}

function here(module: object): string {
  const name = module.constructor.name || "class without a name";
  return currentPath() === "" ? name : `${currentPath()} (${name})`;
}

function described(value: unknown): string {
  if (value instanceof Tensor) return `[${value.shape.join(", ")}]`;
  return typeof value === "object" && value !== null ? value.constructor.name : String(value);
}

/** A function that runs another with the names of the place that runs now, also when the pass has moved on. */
export function resumeHere(): <T>(f: () => T) => T {
  const here = current;
  return (f) => {
    const outer = current;
    current = here;
    try {
      return f();
    } finally {
      current = outer;
    }
  };
}

/** The name of the place that runs now; empty at the root or outside of a pass. */
export function currentPath(): string {
  return current?.path ?? "";
}
