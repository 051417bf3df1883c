import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { checkOptionNames, PersimmonError, valueText } from "../errors.js";
import { interruptSignal, jupyterHost } from "../host.js";
import { escapeHtml } from "./html.js";
import type { MimeBundle } from "./mime.js";
import { duration, grouped, short } from "./numbers.js";

export interface ProgressOptions {
  /** How much there is to do. */
  total: number;
  /** What is being done: "Measuring activations". */
  label?: string;
  /** What is counted, for the rate: "tokens". */
  unit?: string;
}

/** Milliseconds between two drawings: faster than the eye needs, slower than the front end minds. */
const interval = 100;

type State = "running" | "done" | "stopped" | "interrupted";

/**
 * A progress bar that changes in place: in a notebook as a display of its own, in a terminal as a line on stderr, and
 * elsewhere not at all. Declare it with `using`, so that it ends with the block, also by an error:
 *
 * ```ts
 * using bar = display.progress({ total: texts.length, label: "Scoring", unit: "texts" });
 * for (const text of texts) { await score(text); bar.advance(); }
 * ```
 */
export class Progress {
  readonly total: number;
  readonly label: string;
  readonly unit: string;
  private readonly id = `progress-${randomUUID()}`;
  private readonly signal = interruptSignal();
  private readonly started = performance.now();
  private state: State = "running";
  private count = 0;
  private note = "";
  private drawn = Number.NEGATIVE_INFINITY;
  private shown = false;
  private readonly onInterrupt = () => this.end("interrupted");

  constructor(options: ProgressOptions) {
    checkOptionNames("progress", options ?? {}, [
      "total",
      "label",
      "unit",
    ] satisfies (keyof ProgressOptions)[]);
    const { total, label = "", unit = "" } = options ?? {};
    if (typeof total !== "number" || !Number.isFinite(total) || total <= 0) {
      throw new PersimmonError("PROGRESS_INVALID", `total must be a number above 0, got ${valueText(total)}`);
    }
    this.total = total;
    this.label = label;
    this.unit = unit;
    this.signal.addEventListener("abort", this.onInterrupt, { once: true });
    this.draw();
  }

  /** How much is done. */
  get done(): number {
    return this.count;
  }

  /**
   * Says how much is done in all.
   * @param note stands behind it, such as a result so far; it stays until there is another one
   */
  update(done: number, note = this.note): void {
    if (typeof done !== "number" || Number.isNaN(done)) {
      throw new PersimmonError("PROGRESS_INVALID", `update needs how much is done, got ${String(done)}`);
    }
    if (this.state !== "running") return;
    this.count = Math.min(Math.max(0, done), this.total);
    this.note = note;
    if (performance.now() - this.drawn >= interval) this.draw();
  }

  /** Says that so much more is done. */
  advance(by = 1): void {
    this.update(this.count + by);
  }

  /** Ends the bar; where not everything is done it says that it was stopped. Closing twice is harmless. */
  close(): void {
    // A bar that was made after the interrupt was not told of it.
    const early = this.signal.aborted ? "interrupted" : "stopped";
    this.end(this.count >= this.total ? "done" : early);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** How Node prints it: the line of a terminal. */
  [inspect.custom](): string {
    return this.line();
  }

  private end(state: State): void {
    if (this.state !== "running") return;
    this.state = state;
    this.signal.removeEventListener("abort", this.onInterrupt);
    this.draw();
  }

  private draw(): void {
    this.drawn = performance.now();
    const host = jupyterHost();
    if (host !== undefined) {
      host.display(this.bundle(), { id: this.id, update: this.shown });
    } else if (process.stderr.isTTY) {
      // Back to the start of the line, and clear what is left of the former text.
      process.stderr.write(`\r${this.line()}\u001b[K${this.state === "running" ? "" : "\n"}`);
    }
    this.shown = true;
  }

  private bundle(): MimeBundle {
    const label = this.label === "" ? "" : `<b>${escapeHtml(this.label)}</b> `;
    const bar = `<progress value="${this.count}" max="${this.total}"></progress>`;
    return {
      "text/html": `<div>${label}${bar} ${escapeHtml(this.status())}</div>`,
      "text/plain": this.line(),
    };
  }

  private line(): string {
    const width = 24;
    const filled = Math.floor((width * this.count) / this.total);
    const bar = `[${"█".repeat(filled)}${"░".repeat(width - filled)}]`;
    return [this.label, bar, this.status()].filter((part) => part !== "").join(" ");
  }

  /** 512 of 2,048 tokens, 1,020 tokens/s, 1.5 s left */
  private status(): string {
    const seconds = (performance.now() - this.started) / 1000;
    const unit = this.unit === "" ? "" : ` ${this.unit}`;
    const rate = this.count / Math.max(seconds, 1e-3);
    const rateText = this.count === 0 ? [] : [`${short(Number(rate.toPrecision(3)))}${unit}/s`];
    const note = this.note === "" ? [] : [this.note];
    const counted = `${grouped(this.count)} of ${grouped(this.total)}${unit}`;
    if (this.state === "running") {
      const left = this.count === 0 ? [] : [`${duration((this.total - this.count) / rate)} left`];
      return [counted, ...note, ...rateText, ...left].join(", ");
    }
    if (this.state === "done")
      return [`${grouped(this.count)}${unit} in ${duration(seconds)}`, ...note, ...rateText].join(", ");
    return [`${this.state} after ${counted}`, ...note, duration(seconds)].join(", ");
  }
}

/** Starts a progress bar. Throws `PROGRESS_INVALID`. */
export function progress(options: ProgressOptions): Progress {
  return new Progress(options);
}
