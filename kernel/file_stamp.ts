import { statSync } from "node:fs";

/** A text that changes when a file is written; empty where there is none. */
export function stampOf(file: string): string {
  try {
    const { mtimeMs, size } = statSync(file);
    return `${mtimeMs}:${size}`;
  } catch {
    return "";
  }
}
