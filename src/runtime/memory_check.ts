import { PersimmonError } from "../errors.js";
import type { PersimmonConfig } from "../model/config.js";
import { kvDTypes } from "./kv_cache.js";
import type { WeightDType } from "./load_weights.js";
import type { MachineMemory, MemoryLimit } from "./machine_memory.js";
import { estimateMemory, type MemoryEstimate, type MemoryQuestion } from "./memory_estimate.js";

export interface MemoryPlanQuestion extends MemoryQuestion {
  /** Whether `maxLength` was asked for; a context that nobody asked for need not fit as a whole. */
  lengthAsked: boolean;
  /** Bytes of the weights that a dtype uses in place in mapped files; 0 where there are none. */
  inPlace: (dtype: WeightDType | "auto") => number;
  /** Contexts that the KV cache has room for. */
  contexts: number;
}

/** What a model will take, and what there is. */
export interface MemoryPlan {
  /** Bytes for the whole context, by part. */
  needed: MemoryEstimate;
  /** Of the weights: those that stay in their file, which the system may drop and read again. */
  inPlace: number;
  /** Bytes that can be taken, and what says so. */
  free: number;
  limit: string;
  /** Tokens of context that there is memory for; at most `maxLength`. */
  tokens: number;
  /** Why the model should not be loaded, and what would fit. */
  refusal: string | undefined;
  /** What is to be expected though the model can be loaded: decoding from the disk, a context that does not fit. */
  warning: string | undefined;
}

/** A context that must fit even where none was asked for: shorter ones are of little use. */
const leastTokens = 2048;

/** Memory of Node and this library beside a model. */
const ownBytes = 60e6;

/** Compares what a model will take with what there is, before any weight is read. */
export function planMemory(
  config: PersimmonConfig,
  question: MemoryPlanQuestion,
  machine: MachineMemory,
): MemoryPlan {
  const needed = estimateMemory(config, question);
  const inPlace = question.inPlace(question.dtype);
  const { memory } = machine;
  const tokens = tokensThatFit(config, question, memory.free);
  const least = question.lengthAsked ? question.maxLength : Math.min(leastTokens, question.maxLength);
  const tooLarge = tokens < least ? memory : undefined;
  const limit = tooLarge ?? spaceThatIsMissing(needed, question, machine);
  const refusal =
    limit &&
    `${needText(needed, question)}; ${gigabytes(limit.free)} are free (${limit.from}). ${proposals(config, question, machine)}, or \`memoryCheck: false\` (--no-memory-check) to load it all the same`;
  const plan = { needed, inPlace, free: memory.free, limit: memory.from, tokens, refusal };
  return { ...plan, warning: refusal === undefined ? warningOf(plan, question) : undefined };
}

/** Throws `OUT_OF_MEMORY` where a plan refuses, unless that was switched off, and prints what it warns of. */
export function expectMemory({ refusal, warning }: MemoryPlan, memoryCheck: boolean): void {
  if (refusal !== undefined && memoryCheck) throw new PersimmonError("OUT_OF_MEMORY", refusal);
  const text = refusal ?? warning;
  if (text !== undefined) process.emitWarning(text, "PersimmonMemoryWarning");
}

/** Bytes that stay: all but the weights that the system may drop and read again. */
function resident({ total }: MemoryEstimate, inPlace: number): number {
  return total - inPlace + ownBytes;
}

function fits(config: PersimmonConfig, question: MemoryPlanQuestion, free: number): boolean {
  return resident(estimateMemory(config, question), question.inPlace(question.dtype)) <= free;
}

/** The longest context that fits, in steps of 256 tokens, or `maxLength`; 0 where none does. */
function tokensThatFit(config: PersimmonConfig, question: MemoryPlanQuestion, free: number): number {
  const fitsWith = (maxLength: number) => fits(config, { ...question, maxLength }, free);
  if (fitsWith(question.maxLength)) return question.maxLength;
  let [low, high] = [0, Math.ceil(question.maxLength / 256)];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fitsWith(256 * middle)) low = middle;
    else high = middle;
  }
  return 256 * low;
}

/** The limit of address space, where it is too low: files are mapped as a whole, and the cache reserves all its contexts. */
function spaceThatIsMissing(
  { weights, kvCache, buffers }: MemoryEstimate,
  { contexts }: MemoryPlanQuestion,
  { addressSpace }: MachineMemory,
): MemoryLimit | undefined {
  if (addressSpace === undefined) return undefined;
  return weights + contexts * kvCache + buffers > addressSpace.free ? addressSpace : undefined;
}

/** Settings that would fit, each with what it takes. */
function proposals(config: PersimmonConfig, question: MemoryPlanQuestion, machine: MachineMemory): string {
  const smallestLength = Math.min(leastTokens, question.maxLength);
  const accepted = (change: Partial<MemoryPlanQuestion>) => {
    const changed = { ...question, ...change };
    const needed = estimateMemory(config, changed);
    const space = spaceThatIsMissing(needed, changed, machine);
    if (!fits(config, changed, machine.memory.free) || space !== undefined) return undefined;
    const names = Object.entries(change).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
    return `\`${names.join(", ")}\` (${gigabytes(needed.total)})`;
  };
  const lengths = shorterLengths(question.maxLength);
  const shorter = lengths.map((maxLength) => accepted({ maxLength })).find((text) => text !== undefined);
  const single = [
    ...lighter(kvDTypes, question.kvDtype).map((kvDtype) => accepted({ kvDtype })),
    ...lighter(dtypes, question.dtype).map((dtype) => accepted({ dtype })),
    shorter,
  ].filter((text) => text !== undefined);
  if (single.length > 0) return `What fits: ${single.join(", ")}`;
  const all = [question.maxLength, ...lengths, smallestLength]
    .map((maxLength) => accepted({ dtype: "int4", kvDtype: "int8", maxLength }))
    .find((text) => text !== undefined);
  return all === undefined
    ? 'Nothing fits, not even `dtype: "int4", kvDtype: "int8"` with a short context: free memory, or take a larger machine'
    : `What fits: ${all}`;
}

const dtypes: readonly WeightDType[] = ["float32", "bfloat16", "int8", "int4"];

/** The types after this one in a list from heavy to light; of "auto", the two that are lighter than any stored one. */
function lighter<T>(list: readonly T[], current: T | "auto"): readonly T[] {
  return current === "auto" ? list.slice(2) : list.slice(list.indexOf(current) + 1);
}

/** Powers of two below a length, from 8,192 down to 256. */
function shorterLengths(length: number): number[] {
  return [8192, 4096, 2048, 1024, 512, 256].filter((shorter) => shorter < length);
}

function needText(needed: MemoryEstimate, { dtype, kvDtype, maxLength }: MemoryPlanQuestion): string {
  const type = dtype === "auto" ? "as stored" : `as ${dtype}`;
  return `the model needs ${gigabytes(needed.total)} (weights ${type} ${gigabytes(needed.weights)}, keys and values of ${maxLength.toLocaleString("en")} tokens as ${kvDtype} ${gigabytes(needed.kvCache)}, buffers ${gigabytes(needed.buffers)})`;
}

function warningOf(plan: Omit<MemoryPlan, "warning">, question: MemoryPlanQuestion): string | undefined {
  const { needed, inPlace, free, limit, tokens } = plan;
  const has = `${gigabytes(free)} are free (${limit})`;
  if (tokens < question.maxLength) {
    return `the whole context of ${question.maxLength.toLocaleString("en")} tokens does not fit: ${needText(needed, question)}; ${has}. Texts of up to some ${tokens.toLocaleString("en")} tokens do: give \`maxLength\`, or \`kvDtype: "int8"\` for more`;
  }
  if (needed.total + ownBytes > free) {
    return `${gigabytes(inPlace)} of weights stay in their file, and not all of them fit into memory beside the rest: ${needText(needed, question)}; ${has}. Every token will read from the disk; \`dtype: "int8"\` or \`"int4"\` may fit`;
  }
  return undefined;
}

/** What a plan says in one line. */
export function planText({ needed, free, limit }: MemoryPlan): string {
  const { weights, kvCache, buffers, total } = needed;
  return `memory: ${gigabytes(total)} needed (weights ${gigabytes(weights)}, keys and values ${gigabytes(kvCache)}, buffers ${gigabytes(buffers)}), ${gigabytes(free)} free (${limit})`;
}

/** 18.8 GB; 0.02 GB */
function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(bytes < 1e9 ? 2 : 1)} GB`;
}
