import type { Insertion } from "./engine.js";

/** `source` with its insertions, which are in the order of their offsets. */
export function applyInsertions(source: string, insertions: readonly Insertion[]): string {
  let text = "";
  let from = 0;
  for (const { offset, text: inserted } of insertions) {
    text += source.slice(from, offset) + inserted;
    from = offset;
  }
  return text + source.slice(from);
}

/** An offset in the user's source as an offset in the text that TypeScript sees. */
export function toModuleOffset(offset: number, insertions: readonly Insertion[]): number {
  let moved = offset;
  for (const insertion of insertions) {
    if (insertion.offset < offset || (insertion.offset === offset && insertion.text[0] !== "\n")) {
      moved += insertion.text.length;
    }
  }
  return moved;
}

/** An offset in the text that TypeScript sees as an offset in the user's source; inside an insertion, its place. */
export function toSourceOffset(offset: number, insertions: readonly Insertion[]): number {
  let added = 0;
  for (const insertion of insertions) {
    const start = insertion.offset + added;
    if (offset < start) break;
    if (offset < start + insertion.text.length) return insertion.offset;
    added += insertion.text.length;
  }
  return offset - added;
}
