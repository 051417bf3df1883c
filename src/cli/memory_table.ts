import type { CheckpointTensor } from "../checkpoint/index.js";
import type { PersimmonConfig } from "../model/config.js";
import { type KvDType, kvDTypes } from "../runtime/kv_cache.js";
import type { WeightDType } from "../runtime/load_weights.js";
import { estimateMemory, type MemoryEstimate } from "../runtime/memory_estimate.js";

/** What a model takes in memory for one way of loading it, in bytes. */
export interface MemoryRow extends MemoryEstimate {
  dtype: WeightDType;
  kvDtype: KvDType;
  maxLength: number;
}

const DTYPES = ["float32", "bfloat16", "int8", "int4"] as const;

/** For every type of weights and of keys and values, at 2,048 and 16,384 tokens and the model's own longest context. */
export function memoryRows(
  config: PersimmonConfig,
  stored: ReadonlyMap<string, CheckpointTensor> | undefined,
): MemoryRow[] {
  const most = config.maxPositionEmbeddings;
  const lengths = [...new Set([2048, 16_384, most])].filter((length) => length <= most).sort((a, b) => a - b);
  return lengths.flatMap((maxLength) =>
    kvDTypes.flatMap((kvDtype) =>
      DTYPES.map((dtype) => {
        const estimate = estimateMemory(config, { dtype, kvDtype, maxLength, ...(stored && { stored }) });
        return { dtype, kvDtype, maxLength, ...estimate };
      }),
    ),
  );
}

/** The rows as a table: a column for each type of the weights, a block for each length. */
export function memoryLines(rows: readonly MemoryRow[]): string[] {
  const largest = Math.max(...rows.map(({ total }) => total));
  const [unit, scale] = largest >= 1e9 ? ["GB", 1e9] : ["MB", 1e6];
  const line = (label: string, cells: readonly string[]) =>
    `${label.padEnd(34)}${cells.map((cell) => cell.padStart(10)).join("")}`;
  const numbers = (some: readonly MemoryRow[], part: keyof MemoryEstimate) =>
    some.map((row) => (row[part] / scale).toFixed(2));
  const of = (maxLength: number, kvDtype: KvDType) =>
    rows.filter((row) => row.maxLength === maxLength && row.kvDtype === kvDtype);
  const lengths = [...new Set(rows.map(({ maxLength }) => maxLength))];
  return [
    line(`memory in ${unit}, weights held as`, DTYPES),
    line("weights", numbers(of(lengths[0], "float32"), "weights")),
    ...lengths.flatMap((length) => [
      `${length.toLocaleString("en")} tokens`,
      line("  activations and tables", numbers(of(length, "float32"), "buffers")),
      ...kvDTypes.flatMap((kvDtype) => [
        line(`  keys and values as ${kvDtype}`, numbers(of(length, kvDtype), "kvCache")),
        line("    total", numbers(of(length, kvDtype), "total")),
      ]),
    ]),
  ];
}
