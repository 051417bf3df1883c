import { setTimeout as sleep } from "node:timers/promises";
import { HubFailure } from "./failure.js";

/** How long a hub is waited for; in milliseconds. Tests shorten it. */
export const patience = {
  /** Tries in a row that bring nothing, before a download is given up. */
  tries: 6,
  /** Before the second try; doubled for each further one. */
  firstDelay: 1_000,
  /** Also when the hub asks for more: its limits are counted over five minutes. */
  longestDelay: 300_000,
};

/** Milliseconds without a byte after which a connection is given up: HF_HUB_DOWNLOAD_TIMEOUT (seconds), else 30 s. */
export function stallTime(): number {
  const seconds = Number(process.env.HF_HUB_DOWNLOAD_TIMEOUT);
  return seconds > 0 ? Math.min(1000 * seconds, 2 ** 31 - 1) : 30_000;
}

export interface Retries {
  signal: AbortSignal | undefined;
  /** Called before each pause, with the reason for it. */
  onPause: ((reason: string) => void) | undefined;
  /** A count that has grown when the last try has brought something: then all tries are there again. */
  progress?: () => number;
}

/**
 * Repeats `attempt` after failures that may pass, each pause twice as long as the last one or as long as the hub asks for.
 * @throws the last failure; any other error at once
 */
export async function withRetries<T>(
  { signal, onPause, progress }: Retries,
  attempt: () => Promise<T>,
): Promise<T> {
  let [failures, reached] = [0, progress?.() ?? 0];
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof HubFailure) || !error.mayPass || signal?.aborted) throw error;
      const now = progress?.() ?? 0;
      failures = now > reached ? 1 : failures + 1;
      reached = Math.max(reached, now);
      if (failures >= patience.tries) throw error;
      const delay = Math.min(
        error.retryAfter ?? patience.firstDelay * 2 ** (failures - 1),
        patience.longestDelay,
      );
      onPause?.(`${error.message}; trying again in ${Math.ceil(delay / 1000)} s`);
      await sleep(delay, undefined, { signal });
    }
  }
}
