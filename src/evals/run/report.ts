import { percent } from "../../display/numbers.js";
import { type Progress, progress } from "../../display/progress.js";
import type { EvalItem } from "../task.js";
import type { KeptRun } from "./keep_run.js";
import type { CheckedQuestions } from "./options.js";
import type { RunStore } from "./run_store.js";
import { type Sample, sampleKey } from "./samples.js";
import { scoreSamples } from "./score.js";

/** Says how far a run is, with the accuracy so far and the time that is left. */
export class Report {
  readonly #store: RunStore;
  readonly #run: KeptRun;
  readonly #note: () => string;
  readonly #onProgress: CheckedQuestions["onProgress"];
  readonly #bar: Progress | undefined;
  readonly #started = performance.now();
  readonly #total: number;
  readonly #before: number;
  #done: number;
  #correct = 0;
  #judged = 0;

  constructor(
    options: CheckedQuestions,
    run: KeptRun,
    store: RunStore,
    items: readonly EvalItem[],
    done: ReadonlySet<string>,
    note: () => string,
  ) {
    this.#store = store;
    this.#note = note;
    this.#run = run;
    this.#onProgress = options.onProgress;
    const keys = items.flatMap(({ id }) =>
      Array.from({ length: options.samples }, (_, sample) => sampleKey({ id, sample })),
    );
    this.#before = keys.filter((key) => done.has(key)).length;
    this.#total = keys.length;
    this.#done = this.#before;
    const left = this.#total - this.#before;
    const { task, manifest } = run;
    const again = this.#before === 0 ? "" : ` (${this.#before} done before)`;
    const label = `${task.name} ${manifest.data.split}${again}`;
    if (options.progress && left > 0) this.#bar = progress({ total: left, label, unit: "answers" });
    this.#count(store.samples.rows);
  }

  add(finished: readonly Sample[]): void {
    this.#done += finished.length;
    this.#count(finished);
    const right = this.#judged === 0 ? "" : `${percent(this.#correct / this.#judged)} right`;
    const notes = [right, this.#note()].filter((part) => part !== "");
    this.#bar?.update(this.#done - this.#before, notes.join(", "));
    this.#onProgress?.({
      done: this.#done,
      total: this.#total,
      correct: this.#correct,
      judged: this.#judged,
      seconds: (performance.now() - this.#started) / 1000,
    });
  }

  close(): void {
    this.#bar?.close();
  }

  #count(samples: readonly Sample[]): void {
    const { task, items } = this.#run;
    for (const { correct } of scoreSamples(task, items, samples, this.#store.executions.rows)) {
      if (correct === null) continue;
      this.#judged++;
      if (correct) this.#correct++;
    }
  }
}
