import type { KeptRun } from "../run/keep_run.js";
import type { CheckedQuestions } from "../run/options.js";
import { askedOf } from "../run/prepare.js";
import { type Sample, sampleKey } from "../run/samples.js";
import { shuffled } from "../run/shard.js";
import type { FinishedBatch, Keep } from "../run/shard_run.js";
import { chooseShot } from "../shot.js";
import type { EvalItem } from "../task.js";
import { Inbox } from "./inbox.js";
import type { JupyterServer } from "./jupyter_server.js";
import { isCount, keyOfReceived, receivedSample } from "./received_sample.js";
import type { Piece } from "./work_queue.js";

/** The pieces of a run that are not done, in the order in which a run asks. */
export function piecesOf(
  options: CheckedQuestions,
  items: readonly EvalItem[],
  pool: readonly EvalItem[] | undefined,
  done: ReadonlySet<string>,
): Piece[] {
  const { task, shotSeed, samples } = options;
  return shuffled(items).flatMap((item) => {
    const missing = Array.from({ length: samples }, (_, sample) => sample)
      .map((sample) => ({ sample, key: sampleKey({ id: item.id, sample }) }))
      .filter(({ key }) => !done.has(key));
    if (missing.length === 0) return [];
    const shot = pool && chooseShot(task, item, pool, shotSeed);
    return missing.map(({ sample, key }): Piece => ({ key, item, shot, sample }));
  });
}

/** Samples as they come from kernels, checked, and in the form in which a run on this machine has them. */
export class RemoteSamples {
  readonly inbox = new Inbox<FinishedBatch>();
  readonly #options: CheckedQuestions;
  readonly #run: KeptRun;
  readonly #keep: Keep;
  #last = performance.now();

  /** @param keep is given samples at once, as they come */
  constructor(options: CheckedQuestions, run: KeptRun, keep: Keep) {
    this.#options = options;
    this.#run = run;
    this.#keep = keep;
  }

  /**
   * Takes a message of finished samples.
   * @returns keys of all that are in it
   * @throws PersimmonError EVAL_SERVER_REPLY_INVALID
   */
  receive(
    message: Record<string, unknown>,
    asked: ReadonlyMap<string, Piece>,
    isNew: (key: string) => boolean,
    server: JupyterServer,
  ): string[] {
    const { samples, prompt_tokens: promptTokens, generated_tokens: generatedTokens } = message;
    if (!Array.isArray(samples) || !isCount(promptTokens) || !isCount(generatedTokens)) {
      throw server.malformed("finished samples and their numbers of tokens", message);
    }
    const received = new Map<string, Sample>();
    for (const sent of samples) {
      const key = keyOfReceived(sent);
      const piece = key === undefined ? undefined : asked.get(key);
      if (key === undefined || piece === undefined || received.has(key)) {
        throw server.malformed("samples that were asked for, each once", sent);
      }
      received.set(key, this.#check(sent, piece, server.name));
    }
    const fresh = [...received].filter(([key]) => isNew(key)).map(([, sample]) => sample);
    if (fresh.length > 0) {
      const now = performance.now();
      // Of all kernels together, so that the times of a run add up to what it took.
      const finished = { samples: fresh, ms: now - this.#last, promptTokens, generatedTokens };
      this.#keep(finished);
      this.inbox.push(finished);
      this.#last = now;
    }
    return [...received.keys()];
  }

  #check(sent: unknown, { item, shot, sample }: Piece, server: string): Sample {
    const { task, fingerprint } = this.#run;
    const { keepPrompts, maxNewTokens } = this.#options;
    const question = askedOf(this.#options, item, shot);
    return receivedSample(sent, { task, fingerprint, keepPrompts, maxNewTokens, question, sample }, server);
  }
}
