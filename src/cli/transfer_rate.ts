/** How fast a download is, over the last ten seconds, and how long the rest of it will take. */
export class TransferRate {
  readonly #samples: { time: number; bytes: number }[] = [];

  /**
   * Such as `3.21 of 18.80 GB (17 %), 45.1 MB/s, 5 min 46 s left`.
   * @param now milliseconds
   */
  text(bytes: number, total: number, now = Date.now()): string {
    const [unit, scale] = total >= 1e9 ? ["GB", 1e9] : ["MB", 1e6];
    const percent = Math.floor((100 * bytes) / Math.max(1, total));
    const amount = `${(bytes / scale).toFixed(2)} of ${(total / scale).toFixed(2)} ${unit} (${percent} %)`;
    const rate = this.#bytesPerSecond(bytes, now);
    if (rate === undefined) return amount;
    return `${amount}, ${(rate / 1e6).toFixed(1)} MB/s, ${duration((total - bytes) / rate)} left`;
  }

  /** Undefined in the first second, and while nothing comes. */
  #bytesPerSecond(bytes: number, now: number): number | undefined {
    // A file that begins anew, or the next one.
    if (bytes < (this.#samples.at(-1)?.bytes ?? 0)) this.#samples.length = 0;
    this.#samples.push({ time: now, bytes });
    while (this.#samples.length > 2 && this.#samples[1].time <= now - 10_000) this.#samples.shift();
    const [first] = this.#samples;
    const seconds = (now - first.time) / 1000;
    return seconds >= 1 && bytes > first.bytes ? (bytes - first.bytes) / seconds : undefined;
  }
}

/** `2 h 5 min`, `5 min 46 s`, `12 s`. */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole >= 3600) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return whole >= 60 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${whole} s`;
}
