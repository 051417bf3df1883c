import { PersimmonError, valueText } from "./errors.js";

/**
 * The notebook around the library, if there is one. A Jupyter kernel places an object under `Symbol.for("Jupyter.host")`;
 * in plain Node there is none and everything here does without.
 */
export interface JupyterHost {
  /** Sends a MIME bundle to the cell that runs, or replaces an earlier one of the same id. */
  display(
    bundle: Record<string, unknown>,
    options?: { id?: string; update?: boolean; metadata?: Record<string, unknown> },
  ): void;
  clearOutput(options?: { wait?: boolean }): void;
  /** Aborted when the user interrupts; a fresh one for each cell. */
  readonly signal: AbortSignal;
  input(prompt: string, options?: { password?: boolean }): Promise<string>;
}

/** The host, or undefined outside of a notebook. */
export function jupyterHost(): JupyterHost | undefined {
  return (globalThis as Record<symbol, unknown>)[Symbol.for("Jupyter.host")] as JupyterHost | undefined;
}

/** Throws `INTERRUPTED` once the signal is aborted; for work whose half a result is none. */
export function throwIfInterrupted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new PersimmonError("INTERRUPTED", "interrupted before the end; nothing was changed, call again", {
    cause: signal.reason,
  });
}

/**
 * A signal that is aborted when any of `signals` is, or when the user presses the notebook's stop button. Throws `OPTION_INVALID`
 * for one that is none.
 */
export function interruptSignal(...signals: (AbortSignal | undefined)[]): AbortSignal {
  for (const signal of signals) {
    if (signal === undefined || signal instanceof AbortSignal) continue;
    throw new PersimmonError(
      "OPTION_INVALID",
      `signal must be the signal of an AbortController, got ${valueText(signal)}`,
    );
  }
  const all = [...signals, jupyterHost()?.signal].filter((signal) => signal !== undefined);
  return AbortSignal.any(all);
}
