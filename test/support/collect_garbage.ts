import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Frees what nobody holds, tensors of earlier tests too, so that memory can be compared. */
export async function collectGarbage(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const gc: () => void = runInNewContext("gc");
  // Native finalizers run after the collection, in a later turn.
  for (let i = 0; i < 3; i++) {
    gc();
    await setTimeout(1);
  }
}
