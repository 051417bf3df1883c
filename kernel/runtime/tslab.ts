import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import type { Display, display, newDisplay, versions } from "tslab";
import type { DisplaySink } from "../display/display.js";
import { encodeData } from "../display/encode.js";

/** What the module tslab exports. */
export interface Tslab {
  versions: typeof versions;
  display: typeof display;
  newDisplay: typeof newDisplay;
}

/**
 * The module that `import … from "tslab"` gives in a cell: tslab's public interface, spoken to this kernel. Its types
 * are those of the tslab package, which the compiler reads from there.
 */
export function createTslab(sink: DisplaySink): Tslab {
  const require = createRequire(import.meta.url);
  return {
    versions: {
      tslab: require("tslab/package.json").version,
      typescript: require("typescript/package.json").version,
      node: process.version,
    },
    display: displayInto(sink),
    newDisplay: () => displayInto(sink, randomBytes(8).toString("hex")),
  };
}

/** With an id, each call overwrites what the one before showed. */
function displayInto(sink: DisplaySink, id?: string): Display {
  let update = false;
  const raw = (type: string, value: string | Uint8Array) => {
    sink.show({ data: encodeData({ [type]: value }), metadata: {} }, { id, update });
    update = id !== undefined;
  };
  return {
    javascript: (source) => raw("text/javascript", source),
    html: (source) => raw("text/html", source),
    markdown: (source) => raw("text/markdown", source),
    latex: (source) => raw("text/latex", source),
    svg: (source) => raw("image/svg+xml", source),
    png: (bytes) => raw("image/png", bytes),
    jpeg: (bytes) => raw("image/jpeg", bytes),
    gif: (bytes) => raw("image/gif", bytes),
    pdf: (bytes) => raw("application/pdf", bytes),
    text: (text) => raw("text/plain", text),
    raw,
  };
}
