import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { PROTOCOL_VERSION } from "../protocol/message.js";

/** The content of kernel_info_reply. */
export function kernelInfo(packageRoot: string): Record<string, unknown> {
  const version = versionIn(join(packageRoot, "package.json"));
  const typescript = versionIn(createRequire(import.meta.url).resolve("typescript/package.json"));
  return {
    status: "ok",
    protocol_version: PROTOCOL_VERSION,
    implementation: "persimmon",
    implementation_version: version,
    language_info: {
      name: "typescript",
      version: typescript,
      mimetype: "application/typescript",
      file_extension: ".ts",
      pygments_lexer: "typescript",
      codemirror_mode: "typescript",
      nbconvert_exporter: "script",
    },
    banner: `Persimmon Lab ${version}: TypeScript ${typescript} on Node.js ${process.versions.node}`,
    help_links: [
      { text: "TypeScript", url: "https://www.typescriptlang.org/docs/" },
      { text: "Node.js", url: "https://nodejs.org/docs/latest-v20.x/api/" },
      { text: "plotly.js", url: "https://plotly.com/javascript/" },
    ],
    debugger: false,
    supported_features: [],
  };
}

function versionIn(file: string): string {
  return JSON.parse(readFileSync(file, "utf8")).version;
}
