/**
 * The notebook format on disk (nbformat 4.5): as Jupyter itself writes it, so that saving an executed notebook from
 * JupyterLab afterwards changes no line.
 */

/**
 * @typedef {{ cell_type: string, source: string | string[], metadata: any, outputs?: any[], execution_count?: number | null }} Cell
 * @typedef {{ cells: Cell[], metadata: any, nbformat: number, nbformat_minor: number }} Notebook
 */

/**
 * @param {string | string[]} text
 * @returns {string}
 */
export function joinLines(text) {
  return Array.isArray(text) ? text.join("") : text;
}

/**
 * @param {string | string[]} text
 * @returns {string[]} lines that keep their line ends
 */
export function splitLines(text) {
  return joinLines(text).match(/[^\n]*\n|[^\n]+/g) ?? [];
}

/** @param {string} mime */
function isText(mime) {
  return mime.startsWith("text/") || mime === "image/svg+xml" || mime === "application/javascript";
}

/**
 * @param {any} output
 * @returns {any}
 */
function outputOnDisk(output) {
  if (output.output_type === "stream") {
    return { ...output, text: splitLines(output.text) };
  }
  if (output.data === undefined) {
    return output;
  }
  const data = Object.entries(output.data).map(([mime, value]) => [
    mime,
    isText(mime) && typeof value === "string" ? splitLines(value) : value,
  ]);
  return { ...output, data: Object.fromEntries(data), metadata: output.metadata ?? {} };
}

/**
 * @param {any} value
 * @returns {any} the same with the keys of every object in order
 */
function sortKeys(value) {
  if (Array.isArray(value)) {
    return value.map(sortKeys);
  }
  if (value === null || typeof value !== "object") {
    return value;
  }
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sortKeys(value[key])]),
  );
}

/**
 * @param {Notebook} notebook
 * @returns {string} the content of its file
 */
export function serializeNotebook(notebook) {
  const cells = notebook.cells.map((cell) => ({
    ...cell,
    source: splitLines(cell.source),
    ...(cell.outputs === undefined ? {} : { outputs: cell.outputs.map(outputOnDisk) }),
  }));
  return `${JSON.stringify(sortKeys({ ...notebook, cells }), null, 1)}\n`;
}
