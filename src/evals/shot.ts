import { PersimmonError } from "../errors.js";
import { optionChecks } from "../option_checks.js";
import { sha256Of } from "../sha256.js";
import type { EvalItem, EvalTask } from "./task.js";

const seedChecks = optionChecks((message) => new PersimmonError("SHOT_SEED_INVALID", message));

/** What choosing needs of a task. */
export type ShotTask<Item extends EvalItem> = Pick<EvalTask<Item>, "name" | "sameQuestion">;

/**
 * The example before an item: `pool[H(seed, task, id, attempt) mod size]`. The choice depends on these and the pool alone, not
 * on the order of the pool, a limit, a shard or the items before (lm-eval draws from one stream of random numbers, where
 * each of these changes every later example).
 *
 * Exactly: the pool is sorted by the UTF-8 bytes of its ids; where the item has a subject, only items of this subject are in
 * it. H is the SHA-256 of the UTF-8 text `seed U+001F task U+001F id U+001F attempt` (numbers in decimal, without spaces), as a
 * big-endian number. `attempt` counts from 0 until the candidate has another id and another `sameQuestion`.
 *
 * @param pool all items that examples may come from; it is indexed at its first use, so do not change it afterwards
 * @param seed a whole number from 0; 0 is the default of a run
 * @throws PersimmonError SHOT_SEED_INVALID, SHOT_MISSING (no other item can be the example)
 */
export function chooseShot<Item extends EvalItem>(
  task: ShotTask<Item>,
  item: Item,
  pool: readonly Item[],
  seed = 0,
): Item {
  seedChecks.whole("the seed of the examples", seed, 0);
  const candidates = candidatesFor(pool, item) as readonly Item[];
  const question = task.sameQuestion(item);
  const suits = (shot: Item) => shot.id !== item.id && task.sameQuestion(shot) !== question;
  if (!candidates.some(suits)) {
    const size = candidates.length;
    const subject = item.subject === undefined ? "" : ` of the subject "${item.subject}"`;
    const reason = size === 0 ? "there is none" : `all ${size} of the pool are the same question`;
    throw new PersimmonError(
      "SHOT_MISSING",
      `${task.name}: no item${subject} can be the example for "${item.id}": ${reason}. ` +
        "Give a larger split for the examples, or ask without one (shots: 0)",
    );
  }
  for (let attempt = 0; ; attempt++) {
    const shot = candidates[draw(seed, task.name, item.id, attempt, candidates.length)];
    if (suits(shot)) return shot;
  }
}

function draw(seed: number, task: string, id: string, attempt: number, size: number): number {
  const digest = sha256Of([seed, task, id, attempt].join("\u001f"));
  return Number(BigInt(`0x${digest}`) % BigInt(size));
}

type BySubject = Map<string | undefined, EvalItem[]>; // undefined: all of them
// Sorting ten thousand items for each of them would take minutes.
const indexed = new WeakMap<readonly EvalItem[], BySubject>();

function candidatesFor(pool: readonly EvalItem[], item: EvalItem): readonly EvalItem[] {
  let subjects = indexed.get(pool);
  if (subjects === undefined) {
    const keyed = pool.map((one) => ({ one, key: Buffer.from(one.id, "utf8") }));
    const sorted = keyed.sort((a, b) => Buffer.compare(a.key, b.key)).map(({ one }) => one);
    subjects = new Map([[undefined, sorted]]);
    for (const one of sorted) {
      if (one.subject === undefined) continue;
      const same = subjects.get(one.subject);
      if (same === undefined) subjects.set(one.subject, [one]);
      else same.push(one);
    }
    indexed.set(pool, subjects);
  }
  return subjects.get(item.subject) ?? [];
}
