import { types } from "node:util";
import type { Bundle } from "../threads.js";
import { bundleOf } from "./bundle.js";
import { encodeData } from "./encode.js";
import { textOf } from "./text.js";

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
  const raw = (data: unknown, options: DisplayOptions = {}) => {
    checkOptions(options);
    checkBundle(data);
    sink.show({ data: encodeData(data), metadata: options.metadata ?? {} }, options);
  };
  const text = (name: string, type: string) => (content: unknown) => {
    if (content === undefined || content === null) {
      throw new TypeError(`display.${name}(text) expects text, found ${String(content)}`);
    }
    raw({ [type]: String(content) });
  };
  const picture = (name: string, type: string) => (content: unknown) =>
    raw({ [type]: pictureData(name, content) });

  const display = (value: unknown, options: DisplayOptions = {}): void => {
    checkOptions(options);
    if (options.raw) {
      raw(value, options);
      return;
    }
    const show = (bundle: Bundle) =>
      sink.show({ data: bundle.data, metadata: { ...bundle.metadata, ...options.metadata } }, options);
    const bundle = bundleOf(value);
    if (bundle instanceof Promise) sink.await(bundle.then(show));
    else show(bundle);
  };
  return Object.assign(display, {
    html: text("html", "text/html"),
    markdown: text("markdown", "text/markdown"),
    latex: text("latex", "text/latex"),
    svg: text("svg", "image/svg+xml"),
    text: text("text", "text/plain"),
    png: picture("png", "image/png"),
    jpeg: picture("jpeg", "image/jpeg"),
    gif: picture("gif", "image/gif"),
    json: (value: unknown) => raw({ "application/json": value }),
    javascript: text("javascript", "application/javascript"),
    raw: (type: string, data: unknown) => raw({ [type]: data }),
    clear: (options?: { wait?: boolean }) => sink.clear(options?.wait === true),
  });
}

function checkOptions(options: unknown): asserts options is DisplayOptions {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      `display(value, options) expects options such as { id: "a" }, found ${textOf(options)}`,
    );
  }
  const { id, update, metadata } = options as DisplayOptions;
  if (id !== undefined && typeof id !== "string") {
    throw new TypeError(`display(value, { id }) expects a string as id, found ${textOf(id)}`);
  }
  if (update && id === undefined) {
    throw new TypeError("display(value, { update: true }) needs the id of the output that it shall replace");
  }
  if (
    metadata !== undefined &&
    (typeof metadata !== "object" || metadata === null || Array.isArray(metadata))
  ) {
    throw new TypeError(`display(value, { metadata }) expects an object, found ${textOf(metadata)}`);
  }
}

function checkBundle(data: unknown): asserts data is Record<string, unknown> {
  const example = "a MIME bundle such as { 'text/plain': 'x' }";
  if (typeof data !== "object" || data === null || Array.isArray(data) || types.isMap(data)) {
    throw new TypeError(`display(bundle, { raw: true }) expects ${example}, found ${textOf(data)}`);
  }
  const wrong = Object.keys(data).find((type) => !type.includes("/"));
  if (wrong !== undefined) {
    throw new TypeError(`${JSON.stringify(wrong)} is no MIME type such as "text/html"; expected ${example}`);
  }
}

/** Bytes as they are, and base64 also from a data URL. */
function pictureData(name: string, content: unknown): unknown {
  if (types.isArrayBufferView(content) || types.isAnyArrayBuffer(content)) return content;
  const base64 = typeof content === "string" ? content.replace(/^data:[^,]*;base64,/, "") : "";
  if (/^[A-Za-z0-9+/\s]+=*\s*$/.test(base64)) return base64;
  throw new TypeError(
    `display.${name}(bytes) expects bytes or base64, found ${textOf(content).slice(0, 100)}. ` +
      `To show a file: display.${name}(await readFile(path))`,
  );
}
