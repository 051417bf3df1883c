/**
 * The types of what every cell sees without an import. Text, not a file: the compiler gets it as a virtual file.
 */
export const GLOBALS_DECLARATION = `
interface JupyterDisplayOptions {
  /** The value is a MIME bundle, to be sent as it is. */
  raw?: boolean;
  /** A name under which the output can be updated later. */
  id?: string;
  /** Update the outputs of that name instead of adding one. */
  update?: boolean;
  metadata?: Record<string, unknown>;
}
interface JupyterDisplay {
  /**
   * Shows a value: an object with a Symbol.for("Jupyter.display") method, a figure of plotly or vega, an element such as
   * Observable Plot makes, a data frame of danfojs or polars, an array of records, the bytes of a PNG, JPEG or GIF
   * picture, or anything else as text.
   */
  (value: unknown, options?: JupyterDisplayOptions): void;
  /** Shows HTML. */
  html(source: string): void;
  /** Shows Markdown, with formulas. */
  markdown(source: string): void;
  /** Shows LaTeX. */
  latex(source: string): void;
  /** Shows an SVG picture. */
  svg(source: string): void;
  /** Shows plain text. */
  text(text: string): void;
  /** Shows a PNG picture: its bytes, or base64. */
  png(bytes: Uint8Array | ArrayBuffer | string): void;
  /** Shows a JPEG picture: its bytes, or base64. */
  jpeg(bytes: Uint8Array | ArrayBuffer | string): void;
  /** Shows a GIF picture: its bytes, or base64. */
  gif(bytes: Uint8Array | ArrayBuffer | string): void;
  /** Shows JSON as a tree. */
  json(value: unknown): void;
  /** Runs JavaScript in the page. */
  javascript(source: string): void;
  /** Shows data of any MIME type; bytes become base64. */
  raw(mimeType: string, data: unknown): void;
  /** Clears the output of the cell; with wait, only when the next output comes. */
  clear(options?: { wait?: boolean }): void;
}
interface JupyterCommMessage {
  readonly content: { readonly comm_id: string; readonly data: any; readonly target_name?: string };
  readonly metadata: Record<string, any>;
  readonly buffers: Uint8Array[];
}
interface JupyterComm {
  readonly id: string;
  readonly targetName: string;
  send(data?: unknown, options?: { buffers?: (ArrayBufferView | ArrayBufferLike)[]; metadata?: Record<string, unknown> }): void;
  close(data?: unknown, options?: { buffers?: (ArrayBufferView | ArrayBufferLike)[]; metadata?: Record<string, unknown> }): void;
  onMsg(listener: (message: JupyterCommMessage) => unknown): void;
  onClose(listener: (message: JupyterCommMessage) => unknown): void;
}
interface JupyterComms {
  /** Registers what happens when the front end opens a comm of this name. */
  registerTarget(name: string, onOpen: (comm: JupyterComm, open: JupyterCommMessage) => unknown): void;
  unregisterTarget(name: string): void;
  /** Opens a comm to a target of the front end. */
  open(
    targetName: string,
    data?: unknown,
    options?: { id?: string; buffers?: (ArrayBufferView | ArrayBufferLike)[]; metadata?: Record<string, unknown> },
  ): JupyterComm;
}
/** Shows values in the notebook. */
declare const display: JupyterDisplay;
/** Asks the reader for a line of text. */
declare function input(prompt?: string, options?: { password?: boolean }): Promise<string>;
/** Asks the reader for a line of text and blocks until it is there; an empty answer gives the default. */
declare function prompt(message?: string, defaultValue?: string): string;
/** Channels of messages between cells and the page. */
declare const comms: JupyterComms;
`;
