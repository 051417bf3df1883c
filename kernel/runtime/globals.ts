import { createDisplay, type DisplaySink } from "../display/display.js";
import { withFigureHtml } from "../display/figure.js";
import type { Comms } from "./comms.js";
import type { Input } from "./input.js";

/**
 * Puts what every cell sees into the global scope, and the host object, at which a library finds the notebook without
 * importing the kernel, under `Symbol.for("Jupyter.host")`.
 *
 * @param signal the abort signal of the cell that runs; aborted when the user interrupts
 */
export function installGlobals(
  sink: DisplaySink,
  input: Input,
  comms: Comms,
  signal: () => AbortSignal,
): void {
  const display = createDisplay(sink);
  const ask = (prompt?: string, options?: { password?: boolean }) => input.input(prompt, options);
  const globals = {
    display,
    input: ask,
    prompt: (message?: string, fallback?: string) => input.prompt(message, fallback),
    comms: {
      registerTarget: comms.registerTarget.bind(comms),
      unregisterTarget: comms.unregisterTarget.bind(comms),
      open: comms.open.bind(comms),
    },
  };
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  }
  const host = {
    display(
      bundle: Record<string, unknown>,
      options: { id?: string; update?: boolean; metadata?: Record<string, unknown> } = {},
    ): void {
      display(withFigureHtml(bundle), { ...options, raw: true });
    },
    clearOutput: (options: { wait?: boolean } = {}) => sink.clear(options.wait ?? false),
    get signal() {
      return signal();
    },
    input: (prompt: string, options?: { password?: boolean }) => input.input(prompt, options),
  };
  Object.defineProperty(globalThis, Symbol.for("Jupyter.host"), {
    value: host,
    configurable: true,
    enumerable: false,
  });
}
