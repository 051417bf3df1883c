const BEAT_SECONDS = 30;

/**
 * @param {number} milliseconds
 * @returns {string} such as `12 s`
 */
export function seconds(milliseconds) {
  return `${Math.round(milliseconds / 1000)} s`;
}

/**
 * Shows one long step on one line: `building the native addon … 12 s`, counted up in place on a terminal, and with a
 * line every half minute elsewhere, so that a log shows that something still happens.
 * @template T
 * @param {string} title
 * @param {() => Promise<T>} work
 * @param {NodeJS.WriteStream} [out]
 * @returns {Promise<T>}
 */
export async function step(title, work, out = process.stderr) {
  const started = Date.now();
  const live = out.isTTY === true && process.env.CI === undefined;
  const elapsed = () => seconds(Date.now() - started);
  out.write(live ? `${title} …` : `${title} …\n`);
  const timer = setInterval(
    () => out.write(live ? `\r\x1b[K${title} … ${elapsed()}` : `${title} … ${elapsed()}\n`),
    live ? 1000 : BEAT_SECONDS * 1000,
  );
  const close = (/** @type {string} */ word) =>
    out.write(live ? `\r\x1b[K${title}: ${word} (${elapsed()})\n` : `${title}: ${word} (${elapsed()})\n`);
  try {
    const result = await work();
    close("done");
    return result;
  } catch (error) {
    close("failed");
    throw error;
  } finally {
    clearInterval(timer);
  }
}
