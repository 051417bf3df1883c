import { TransferRate } from "./transfer_rate.js";

/** A line on the terminal that says how far loading, converting or reading a prompt is; nothing where there is no terminal. */
export class ProgressLine {
  readonly #terminal: Pick<NodeJS.WriteStream, "isTTY" | "write">;
  readonly #rate = new TransferRate();
  #shown = "";

  constructor(terminal: Pick<NodeJS.WriteStream, "isTTY" | "write"> = process.stderr) {
    this.#terminal = terminal;
  }

  readonly show = ({ stage, loaded, total }: { stage: string; loaded: number; total: number }) => {
    const percent = `${Math.floor((100 * loaded) / Math.max(1, total))} %`;
    const text = `${stage} ${stage === "download" ? this.#rate.text(loaded, total) : percent}`;
    if (text !== this.#shown) this.#write(text);
    this.#shown = text;
  };

  /** A line that stays. */
  say(text: string): void {
    this.#write(`${text}\n`);
    this.#shown = "";
  }

  /** Removes the line, if there is one: what comes next begins in its place. */
  end(): void {
    if (this.#shown !== "") this.#write("");
    this.#shown = "";
  }

  #write(text: string): void {
    if (this.#terminal.isTTY) this.#terminal.write(`\r\x1b[K${text}`);
  }
}
