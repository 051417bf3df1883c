import { join } from "node:path";
import { type Checkpoint, openCheckpoint, resolveCheckpoint } from "./checkpoint/index.js";
import { specialTokenIds, tokenizerOf } from "./checkpoint_tokenizer.js";
import { type DeviceChoice, gpuFor } from "./device_choice.js";
import { checkOptionNames, PersimmonError, valueText } from "./errors.js";
import { interruptSignal, throwIfInterrupted } from "./host.js";
import { kvContexts, kvShape, LanguageModel } from "./language_model.js";
import type { Rope } from "./model/rotary.js";
import { optionChecks } from "./option_checks.js";
import { packageRoot } from "./package_root.js";
import { RankGroup, type TensorParallel } from "./parallel/rank_group.js";
import { shardedWeights } from "./parallel/shard_weights.js";
import { checkSplit, splitAxis } from "./parallel/split.js";
import { splitModel } from "./parallel/split_model.js";
import { buildModules } from "./runtime/build_modules.js";
import { type KvDType, kvDTypes } from "./runtime/kv_cache.js";
import { checkpointWeights, isUsedInPlace, isWeightDType, type WeightDType } from "./runtime/load_weights.js";
import { gpuMemory, machineMemory } from "./runtime/machine_memory.js";
import { expectMemory, type MemoryPlan, planMemory } from "./runtime/memory_check.js";
import { Device, type MatmulPrecision } from "./tensor/device.js";
import { loadZeroPredictor } from "./zero_predictor_file.js";

export interface LoadOptions {
  /**
   * Where to run; "auto" is the CPU. "cuda" is the first GPU of NVIDIA's, from compute capability 8.0 on: kernels that were
   * tested on an emulated GPU only, of which a warning tells.
   */
  device?: DeviceChoice;
  /**
   * How weights are held; "auto" keeps what is stored. "int8" rounds the matrices, those of products and the embedding, to
   * whole numbers with a scale for each row, "int4" to 4 bits with a scale for each 32 of a row, where a row is a multiple
   * of 32; norms and biases stay. Sums are float32 in any case, and so are activations, but that on a CPU products with such weights round them to
   * 8 bits (`ops.linear`).
   */
  dtype?: "auto" | WeightDType;
  /** Threads of the CPU; default: as many as the process may use. */
  threads?: number;
  /**
   * How matrix products take the activations that meet bfloat16 weights, in the words of
   * `torch.set_float32_matmul_precision`; "highest", with all their digits. "medium" rounds them to bfloat16, as a bfloat16
   * model of transformers and llama.cpp do, where that is faster: on CPUs with AVX-512-BF16 that have no AMX, for prompts and
   * batches, about twice as fast, and on GPUs for more than eight rows, and where a prompt attends to a cache of bfloat16 or int8, with a third of the matrix
   * instructions. On a CPU it changes nothing with int8 and int4 weights; what `predictZeros` multiplies keeps its digits.
   * Sums are float32 in any case (bench/RESULTS.md has what it changes).
   */
  matmulPrecision?: MatmulPrecision;
  /**
   * Over how many ranks the model is split (tensor parallelism): each has some of the heads, of the neurons and of the tokens, and
   * they add up what they have twice a layer. 1. With a number, the ranks are threads of this process, which `threads` are divided
   * among, or with `device: "cuda"` the first GPUs of the machine, which NCCL connects. With "mpi", they are the processes that Open MPI has started (`mpirun -np 2 node script.mjs`), all of which run the same
   * script on the same inputs, with a `seed` where they sample; memory is not checked then. Logits differ in rounding from those
   * of one rank, and are the same on all. Sites show whole values; a module cannot be called by itself (as `logitLens` does) or,
   * within one process, swapped.
   */
  tensorParallel?: TensorParallel;
  /** The longest context; default: the model's own. */
  maxLength?: number;
  /**
   * How the keys and values of past tokens are kept; "float32". "bfloat16" rounds them to half the memory, so that results
   * differ in rounding, and a long context is read faster: Persimmon-8B's 16,384 tokens take 9.7 GB instead of 19.3. "int8"
   * takes 5.1 GB: whole numbers with a scale for each head of a token (bench/RESULTS.md has what that changes).
   */
  kvDtype?: KvDType;
  /**
   * Whether the down projections of the MLPs leave out what belongs to zeros of the squared ReLU; true. Results are the same
   * in rounding; with int8 and int4 weights they are nearer to exact ones, since activations are not rounded there. The
   * weights concerned are reordered while loading and take memory of their own instead of the mapped file.
   */
  skipZeros?: boolean;
  /**
   * A file of `saveZeroPredictor`: zeros of the squared ReLUs are predicted from an int4 copy of the up projections, whose
   * other rows are not read. Not exact, and off unless it is given; for bfloat16 and float32 weights.
   */
  predictZeros?: string;
  /**
   * How the rotary angles are computed; "hf", in float32, as the Hugging Face implementation does. "adept" rounds them to
   * bfloat16 at every step, as Adept's own inference code does, with which Persimmon-8B probably was trained; there
   * positions from 257 on begin to share angles. What else that code rounds stays float32.
   */
  rope?: Rope;
  /**
   * Whether a model that will not fit into memory is refused before a weight is read; true. False loads it all the same: the
   * system may then end the process.
   */
  memoryCheck?: boolean;
  /** Told before a weight is read what the model will take and what there is. */
  onMemory?: (plan: MemoryPlan) => void;
  /** Told how many bytes have been fetched, then how many of the weights are ready. What it throws, `loadModel` throws. */
  onProgress?: (progress: { stage: "download" | "weights"; loaded: number; total: number }) => void;
  /** Ends a download (what has arrived is kept) or the loading. In a notebook the stop button does so as well. */
  signal?: AbortSignal;
}

/** The small trained model that comes with the package. */
export function demoModelDirectory(): string {
  return join(packageRoot, "models", "demo");
}

/**
 * Loads a model.
 * @param source a folder with config.json and weights, Adept's own release (its folder or its .tar), or a name on the Hugging
 *   Face hub; default: the bundled demo model
 * @throws PersimmonError with the code of what is wrong: CHECKPOINT_NOT_FOUND, CONFIG_MISSING, DTYPE_UNSUPPORTED,
 *   ARGUMENT_INVALID, OPTION_UNKNOWN, OPTION_INVALID, OUT_OF_MEMORY (before a weight is read, with what would fit), HUB_ABORTED
 *   and INTERRUPTED (`signal`, while it downloads and after that), …
 */
export async function loadModel(
  source: string = demoModelDirectory(),
  options: LoadOptions = {},
): Promise<LanguageModel> {
  checkSource(source);
  checkNames(options);
  const signal = interruptSignal(options.signal);
  const dtype = checkedDType(options.dtype ?? "auto");
  const target = gpuFor(options.device, options.matmulPrecision);
  const rope = checkedRope(options.rope);
  const memoryCheck = checkedBoolean("memoryCheck", options.memoryCheck);
  const skipZeros = checkedBoolean("skipZeros", options.skipZeros);
  const kvDtype = checkedKvDType(options.kvDtype);
  const group = rankGroup(options);
  const predictor =
    options.predictZeros === undefined ? undefined : await loadZeroPredictor(options.predictZeros);
  const device = group?.here[0].device ?? target ?? Device.cpu(options.threads, options.matmulPrecision);
  const loader = device.kind === "cpu" ? device : Device.cpu(options.threads, options.matmulPrecision);
  const directory = await resolveCheckpoint(source, {
    signal,
    onProgress: ({ bytes, totalBytes }) =>
      options.onProgress?.({ stage: "download", loaded: bytes, total: totalBytes }),
  });
  const checkpoint = await openCheckpoint(directory);
  throwIfInterrupted(signal);
  const { config } = checkpoint;
  const maxLength = checkedLength(options.maxLength, config.maxPositionEmbeddings);
  const stored = checkpoint.tensors;
  if (group !== undefined) checkSplit(config, group.ranks, isHeldAsInt4(checkpoint, dtype));
  const bytesInPlace = (held: WeightDType | "auto") =>
    [...stored.values()]
      .filter((tensor) => isUsedInPlace(tensor, config, held, skipZeros))
      .filter(({ name }) => group === undefined || splitAxis(name) !== 1)
      .reduce((sum, { byteLength }) => sum + byteLength, 0);
  const plan = planMemory(
    config,
    {
      dtype,
      kvDtype,
      maxLength,
      stored,
      predictsZeros: predictor !== undefined,
      ranks: group?.here.length,
      cublasLt: target?.gpu?.cublasLt !== undefined,
      lengthAsked: options.maxLength !== undefined,
      // A GPU has a copy of every weight.
      inPlace: target === undefined ? bytesInPlace : () => 0,
      contexts: kvContexts,
    },
    target === undefined
      ? machineMemory()
      : gpuMemory(group === undefined ? [target] : group.here.map((rank) => rank.device)),
  );
  options.onMemory?.(plan);
  if (!group?.isOverProcesses) expectMemory(plan, memoryCheck);
  const readAhead = plan.needed.total <= plan.free;
  const onProgress = (loaded: number, total: number) =>
    options.onProgress?.({ stage: "weights", loaded, total });
  const weights =
    group === undefined
      ? [
          await checkpointWeights(checkpoint, loader, dtype, {
            target: device,
            skipZeros,
            readAhead,
            signal,
            onProgress,
          }),
        ]
      : await shardedWeights(checkpoint, group, loader, dtype, { skipZeros, readAhead, signal, onProgress });
  const sources = weights.map((tensors) => (name: string) => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new PersimmonError("WEIGHT_MISSING", `the checkpoint has no ${name}`);
    return tensor;
  });
  const [weight] = sources;
  const tokenizer = await tokenizerOf(checkpoint);
  const kv = { shape: kvShape(config, kvDtype), capacity: kvContexts * maxLength };
  const { modules, runtime } =
    group === undefined
      ? { modules: buildModules(config, device, weight, maxLength, rope), runtime: undefined }
      : splitModel(config, group, sources, kv, maxLength, rope);
  const model = new LanguageModel({
    config,
    modules,
    tokenizer,
    device,
    dtype: weight("model.layers.0.self_attn.query_key_value.weight").dtype,
    eosTokenIds: specialTokenIds(checkpoint, tokenizer).eosTokenIds,
    maxLength,
    kvDtype,
    rope,
    weightBytes: weights
      .flatMap((tensors) => [...tensors.values()])
      .reduce((sum, tensor) => sum + tensor.byteLength, 0),
    source,
    runtime,
  });
  // Made now, it knows the modules as they are, so that a swap cannot be missed.
  if (group !== undefined) void model.runtime;
  predictor?.apply(model);
  return model;
}

function checkNames(options: LoadOptions): void {
  const known = [
    "device",
    "dtype",
    "threads",
    "matmulPrecision",
    "tensorParallel",
    "maxLength",
    "kvDtype",
    "skipZeros",
    "predictZeros",
    "rope",
    "memoryCheck",
    "onMemory",
    "onProgress",
    "signal",
  ] satisfies (keyof LoadOptions)[];
  checkOptionNames("loadModel", options, known);
  const { text, callback } = optionChecks((message) => new PersimmonError("OPTION_INVALID", message));
  if (options.predictZeros !== undefined)
    text("predictZeros, the path of a file of saveZeroPredictor,", options.predictZeros);
  callback("onMemory", options.onMemory);
  callback("onProgress", options.onProgress);
}

function checkSource(source: unknown): void {
  if (typeof source === "string" && source.trim() !== "") return;
  throw new PersimmonError(
    "ARGUMENT_INVALID",
    `loadModel takes a folder or a name on the hub first, then the options; loadModel(undefined, { … }) is the bundled model with options; got ${valueText(source)}`,
  );
}

/** The ranks that a model is to be split over; undefined for one. */
function rankGroup(options: LoadOptions): RankGroup | undefined {
  const { tensorParallel = 1, threads, matmulPrecision, predictZeros, device } = options;
  if (tensorParallel === 1) return undefined;
  if (predictZeros === undefined) {
    return RankGroup.of(tensorParallel, { threads, matmulPrecision, onGpus: device === "cuda" });
  }
  throw new PersimmonError(
    "OPTION_INVALID",
    "predictZeros works on models that are not split: leave out predictZeros or tensorParallel",
  );
}

/** Whether matrices are held as int4. */
function isHeldAsInt4({ tensors }: Checkpoint, dtype: WeightDType | "auto"): boolean {
  return (
    dtype === "int4" || (dtype === "auto" && [...tensors.values()].some((tensor) => tensor.dtype === "int4"))
  );
}

/** @throws PersimmonError DTYPE_UNSUPPORTED unless it is a type that weights can be held in, or "auto" */
export function checkedDType(dtype: string): WeightDType | "auto" {
  if (dtype === "auto" || isWeightDType(dtype)) return dtype;
  throw new PersimmonError(
    "DTYPE_UNSUPPORTED",
    `dtype must be "auto", "float32", "bfloat16", "int8" or "int4", got ${valueText(dtype)}`,
  );
}

/** @throws PersimmonError DTYPE_UNSUPPORTED unless it is a type that keys and values can be kept in, or left out */
export function checkedKvDType(dtype: KvDType = "float32"): KvDType {
  if (kvDTypes.includes(dtype)) return dtype;
  throw new PersimmonError(
    "DTYPE_UNSUPPORTED",
    `kvDtype must be "float32", "bfloat16" or "int8", got ${valueText(dtype)}`,
  );
}

/** @throws PersimmonError ROPE_UNSUPPORTED unless it is one of the two ways, or left out */
function checkedRope(rope: Rope = "hf"): Rope {
  if (rope === "hf" || rope === "adept") return rope;
  throw new PersimmonError("ROPE_UNSUPPORTED", `rope must be "hf" or "adept", got ${valueText(rope)}`);
}

/** @throws PersimmonError OPTION_INVALID unless it is true, false or left out, which is true */
export function checkedBoolean(name: string, value: boolean = true): boolean {
  if (typeof value === "boolean") return value;
  throw new PersimmonError("OPTION_INVALID", `${name} must be true or false, got ${valueText(value)}`);
}

function checkedLength(length: number | undefined, most: number): number {
  if (length === undefined) return most;
  if (Number.isInteger(length) && length >= 1 && length <= most) return length;
  throw new PersimmonError(
    "MAX_LENGTH_INVALID",
    `maxLength must be a whole number from 1 to ${most} (the model's max_position_embeddings), got ${valueText(length)}`,
  );
}
