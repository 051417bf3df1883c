import type { Bundle } from "../threads.js";
import { bundleOf, encodeData } from "./bundle.js";

/** Options of `display(value, options)`. */
export interface DisplayOptions {
  /** The value is a MIME bundle, to be sent as it is. */
  raw?: boolean;
  /** A name under which the output can be updated later. */
  id?: string;
  /** Update the outputs of that name instead of adding one. */
  update?: boolean;
  metadata?: Record<string, unknown>;
}

/** Where displays go: the cell that is running when one is asked for. */
export interface DisplaySink {
  show(bundle: Bundle, options: { id?: string; update?: boolean }): void;
  clear(wait: boolean): void;
  /** Work that must be over before the cell ends, such as the promise of a bundle. */
  await(work: Promise<void>): void;
}

/** The function `display` that every cell sees, with its short forms. */
export function createDisplay(sink: DisplaySink) {
  const raw = (data: Record<string, unknown>, { id, update, metadata }: DisplayOptions = {}) =>
    sink.show({ data: encodeData(data), metadata: metadata ?? {} }, { id, update });
  const as = (type: string) => (value: unknown) => raw({ [type]: value });

  const display = (value: unknown, options: DisplayOptions = {}): void => {
    if (options.raw) {
      if (typeof value !== "object" || value === null) {
        throw new TypeError(
          "display(bundle, { raw: true }) expects a MIME bundle such as { 'text/plain': 'x' }",
        );
      }
      raw(value as Record<string, unknown>, options);
      return;
    }
    const show = (bundle: Bundle) =>
      sink.show({ data: bundle.data, metadata: { ...bundle.metadata, ...options.metadata } }, options);
    const bundle = bundleOf(value);
    if (bundle instanceof Promise) sink.await(bundle.then(show));
    else show(bundle);
  };
  return Object.assign(display, {
    html: as("text/html"),
    markdown: as("text/markdown"),
    latex: as("text/latex"),
    svg: as("image/svg+xml"),
    text: as("text/plain"),
    png: as("image/png"),
    jpeg: as("image/jpeg"),
    gif: as("image/gif"),
    json: as("application/json"),
    javascript: as("application/javascript"),
    raw: (type: string, data: unknown) => raw({ [type]: data }),
    clear: (options: { wait?: boolean } = {}) => sink.clear(options.wait ?? false),
  });
}
