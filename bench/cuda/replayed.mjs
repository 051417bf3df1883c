// Ops by themselves, recorded and replayed: on a GPU as a graph.
import { native } from "../../dist/src/native.js";
import { scope } from "../../dist/src/tensor/scope.js";
import { median } from "../side_by_side.mjs";

/**
 * Records `run(item)` for each item, and replays that, so often that it takes some 20 ms.
 * @returns seconds of one item: the median of the rounds; and bytes of weights that it reads
 */
export async function replayed(device, items, rounds, run) {
  const plan = new (native().Plan)(device.stream);
  plan.begin();
  for (const item of items) scope(() => void run(item));
  plan.end();
  const replay = (times) => {
    device.stream.synchronize();
    const started = performance.now();
    for (let i = 0; i < times; i++) plan.replay(0);
    device.stream.synchronize();
    return (performance.now() - started) / 1000 / times / items.length;
  };
  const before = await device.weightTraffic();
  replay(1);
  const after = await device.weightTraffic();
  const times = Math.max(1, Math.round(0.02 / items.length / replay(2)));
  // While numbers were made on the host, the GPU was idle, at a quarter of its clock or less.
  const until = performance.now() + 300;
  while (performance.now() < until) replay(times);
  const seconds = Array.from({ length: rounds }, () => replay(times));
  plan.release();
  return { seconds: median(seconds), bytes: (after.read - before.read) / items.length };
}

/** [rows, width] between -1 and 1, of which a share is zero, in whole columns. */
export function activations(rows, width, share = 0) {
  const values = new Float32Array(rows * width);
  const isZero = Array.from({ length: width }, (_, i) => (i * 0.6180339887) % 1 < share);
  for (let i = 0; i < values.length; i++) values[i] = isZero[i % width] ? 0 : Math.sin(1 + 0.37 * i);
  return values;
}
