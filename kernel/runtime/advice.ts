import { installAdvice } from "../language/install_advice.js";

const NOT_FOUND = new Set(["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND"]);

/** What can be done about an error that says too little; undefined for most errors. */
export function adviceFor(error: object): string | undefined {
  try {
    const { code, message } = error as { code?: unknown; message?: unknown };
    if (!NOT_FOUND.has(String(code))) return undefined;
    const name = /(?:module|package) '([^']+)'/.exec(String(message))?.[1];
    return name === undefined ? undefined : installAdvice(name, process.cwd());
  } catch {
    return undefined;
  }
}
