import type { DownloadProgress } from "../checkpoint/index.js";
import { TransferRate } from "./transfer_rate.js";

/**
 * What a download shows on stderr: on a terminal one line that is written over, ten times a second at most; elsewhere, as in a log, a
 * line every half minute.
 */
export class DownloadLine {
  readonly #rate = new TransferRate();
  readonly #isLive = process.stderr.isTTY === true;
  readonly #interval = this.#isLive ? 100 : 30_000;
  #shownAt = this.#isLive ? 0 : Date.now();
  #pause: string | undefined;

  readonly show = ({ file, bytes, totalBytes, pause }: DownloadProgress) => {
    const now = Date.now();
    const isNews = pause !== undefined && pause !== this.#pause;
    this.#pause = pause;
    const text = pause ?? `${file}  ${this.#rate.text(bytes, totalBytes, now)}`;
    if (!isNews && now - this.#shownAt < this.#interval) return;
    this.#shownAt = now;
    process.stderr.write(this.#isLive ? `\r\x1b[K${text}` : `${text}\n`);
  };

  end(): void {
    if (this.#isLive) process.stderr.write("\r\x1b[K");
  }
}
