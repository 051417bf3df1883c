/** What a library file declares, by one thing that is there when Node has it. Files of TypeScript 6. */
const BY_FEATURE: [owner: object | undefined, name: string, libraries: string[]][] = [
  [String.prototype, "isWellFormed", ["lib.es2024.string.d.ts"]],
  // While a startup snapshot is made, Node has no Atomics; every version that this kernel runs on has this one.
  [globalThis.Atomics ?? { waitAsync: true }, "waitAsync", ["lib.es2024.sharedmemory.d.ts"]],
  [ArrayBuffer.prototype, "transfer", ["lib.es2024.arraybuffer.d.ts"]],
  [Object, "groupBy", ["lib.es2024.object.d.ts", "lib.es2024.collection.d.ts"]],
  [Promise, "withResolvers", ["lib.es2024.promise.d.ts"]],
  [Set.prototype, "union", ["lib.es2025.collection.d.ts"]],
  [(globalThis as { Iterator?: object }).Iterator, "from", ["lib.es2025.iterator.d.ts"]],
  [Promise, "try", ["lib.es2025.promise.d.ts"]],
  [Array, "fromAsync", ["lib.esnext.array.d.ts"]],
];

/** What the compiler emits itself: `using` and decorators. */
export const EMITTED_LIBRARIES = ["lib.esnext.disposable.d.ts", "lib.esnext.decorators.d.ts"];

/** The libraries of this version of Node: what it lacks would only fail when the cell runs. */
export function librariesOfNode(): string[] {
  const present = BY_FEATURE.filter(([owner, name]) => owner !== undefined && name in owner);
  return ["lib.es2023.d.ts", ...present.flatMap(([, , libraries]) => libraries), ...EMITTED_LIBRARIES];
}
