import type { ErrorContent } from "../threads.js";
import { excerpt } from "./excerpt.js";

/** What lines of other kernels do, by the word behind the sign, and how TypeScript does it. */
const INSTEAD: Record<string, string> = {
  pip: "Packages for cells come from npm; for Python's, use a terminal.",
  npm: shell("npm install name"),
  bash: shell("ls -l"),
  sh: shell("ls -l"),
  time: 'Use console.time("it") before and console.timeEnd("it") after.',
  timeit: "Use performance.now() before and after.",
  cd: 'Use process.chdir("folder").',
  env: "Use process.env.NAME.",
  html: 'Use display.html("<b>text</b>").',
  latex: 'Use display.latex("x^2").',
  markdown: 'Use display.markdown("**text**").',
  javascript: 'Use display.javascript("…") for code that shall run in the page.',
  load: 'Use import, or readFileSync of "node:fs".',
  run: 'Use import "./file.ts".',
  matplotlib: "Use display(figure) with a plotly figure.",
};

function shell(command: string): string {
  return `Use import { execSync } from "node:child_process"; console.log(execSync("${command}", { encoding: "utf8" })).`;
}

/**
 * A readable error for a cell that does not compile and has a line of IPython's or ijavascript's: `%pip`, `%%bash`,
 * `!ls`, `?name`, `name?`. Undefined for other cells.
 */
export function magicError(source: string, label: string): ErrorContent | undefined {
  const lines = source.split(/\r?\n/);
  for (const [i, text] of lines.entries()) {
    const advice = adviceFor(text);
    if (!advice) continue;
    const column = text.search(/\S/) + 1;
    const evalue = `${label}:${i + 1}:${column} - cells are TypeScript, and \`${text.trim()}\` is not. ${advice}`;
    const traceback = [`SyntaxError: ${evalue}`, "", ...excerpt(text, i + 1, column, "^").split("\n")];
    return { ename: "SyntaxError", evalue, traceback };
  }
  return undefined;
}

function adviceFor(line: string): string | undefined {
  const magic = /^\s*%{1,2}([A-Za-z]\w*)/.exec(line)?.[1];
  if (magic) return INSTEAD[magic] ?? "There are no magics here: write what it does in TypeScript.";
  const command = /^\s*!\s*([A-Za-z~./][\w./-]*(?:\s+[\w./@~-].*)?)$/.exec(line)?.[1];
  if (command) return shell(command.replaceAll("\\", "\\\\").replaceAll('"', '\\"').trim());
  if (/^\s*\?{1,2}\s*[\w$.]+\s*$|^\s*[\w$.]+\?{1,2}\s*$/.test(line)) {
    return "Press Shift+Tab on a name to see its type and documentation.";
  }
  return undefined;
}
