import type { JupyterHost } from "../../src/host.js";

/** What a notebook was sent, in place of a real kernel. */
export interface Sent {
  bundle: Record<string, unknown>;
  id?: string;
  update?: boolean;
}

/** Runs `f` with a host in place; `interrupt` is the stop button. */
export async function withHost(
  f: (sent: Sent[], interrupt: () => void) => Promise<void> | void,
): Promise<void> {
  const key = Symbol.for("Jupyter.host");
  const globals = globalThis as Record<symbol, unknown>;
  const sent: Sent[] = [];
  const controller = new AbortController();
  const host: JupyterHost = {
    display: (bundle, { id, update } = {}) => sent.push({ bundle, id, update }),
    clearOutput: () => {},
    signal: controller.signal,
    input: async () => "",
  };
  globals[key] = host;
  try {
    await f(sent, () => controller.abort());
  } finally {
    delete globals[key];
  }
}
