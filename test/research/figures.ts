import { expect } from "vitest";
import type { Figure } from "../../src/index.js";

/** A figure has a title, axes with titles where it has any, and no number that JSON cannot hold. */
export function expectFigure(figure: Figure, title: string): void {
  expect(JSON.stringify([figure.data, figure.layout])).not.toMatch(/NaN|Infinity|undefined/);
  expect((figure.layout.title as { text: string }).text).toContain(title);
  expect(figure.data.length).toBeGreaterThan(0);
}
