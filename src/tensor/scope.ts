/**
 * Scopes free intermediates. `scope(f)` runs `f`; every tensor made inside that `f` does not return and nobody kept goes
 * back to the arena at the end. Returned tensors pass to the scope outside. Outside of all scopes a tensor lives until
 * it is disposed or collected.
 */
interface Scoped {
  release(): void;
}

let current: Set<Scoped> | undefined;

/** Runs `f` and releases what it made and neither returned nor kept. */
export function scope<T>(f: () => T): T {
  const outer = current;
  const inner = new Set<Scoped>();
  current = inner;
  let result: T;
  try {
    result = f();
  } catch (error) {
    for (const tensor of inner) tensor.release();
    throw error;
  } finally {
    current = outer;
  }
  for (const tensor of tensorsIn(result)) {
    if (inner.delete(tensor)) outer?.add(tensor);
  }
  for (const tensor of inner) tensor.release();
  return result;
}

/** A tensor that was just made joins the scope that is open. */
export function enter(tensor: Scoped): void {
  current?.add(tensor);
}

/** Takes a tensor out of the scope that is open: it then lives until it is disposed or collected. */
export function leave(tensor: Scoped): void {
  current?.delete(tensor);
}

/** Tensors in a returned value: the value itself, elements of an array, or fields of a plain object. */
function tensorsIn(value: unknown): Scoped[] {
  if (typeof value !== "object" || value === null) return [];
  if (isScoped(value)) return [value];
  const members = Array.isArray(value) ? value : Object.values(value);
  return members.filter(isScoped);
}

function isScoped(value: unknown): value is Scoped {
  return typeof (value as Scoped | null)?.release === "function";
}
