import { chmod, copyFile, lstat, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  type Checkpoint,
  type CheckpointTensor,
  isQuantizable,
  openCheckpoint,
  packedName,
  packedShape,
  quantizationConfig,
  resolveCheckpoint,
  scaleName,
  scaleShape,
  shapeName,
  type TensorToWrite,
  writeSafetensors,
} from "./checkpoint/index.js";
import { checkOptionNames, PersimmonError } from "./errors.js";
import { isWeightDType, loadWeight, type WeightDType } from "./runtime/load_weights.js";
import { Device } from "./tensor/device.js";
import { bytesPerElement, isScaled } from "./tensor/dtype.js";
import { elementCount } from "./tensor/tensor.js";
import { TOKENIZER_FILES } from "./tokenizer/index.js";

export interface ConvertOptions {
  /** The type of the weights in the new checkpoint; see `loadModel`'s `dtype`. */
  to: WeightDType;
  /** Threads of the CPU; default: as many as the process may use. */
  threads?: number;
  onProgress?: (progress: { stage: "download" | "weights"; loaded: number; total: number }) => void;
  /** Ends the conversion; nothing is left of it. */
  signal?: AbortSignal;
}

/** Beside the weights: what is copied where it is there. config.json is written anew. */
const COMPANIONS = [
  "generation_config.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  ...TOKENIZER_FILES,
];

/**
 * Writes a checkpoint with its weights in another type: config.json, one model.safetensors, and the tokenizer. Only one
 * weight is in memory at a time. The new folder appears when it is complete; until then it has a longer name, which is
 * removed when the conversion fails and stays only when the process is killed.
 *
 * Of int8, `X.weight` is int8 and `X.weight_scale` float32 [rows, 1]; of int4, `X.weight_packed` is int32 [rows, columns / 8]
 * and `X.weight_scale` bfloat16 [rows, columns / 32]. Norms and biases keep their type (float16 becomes float32).
 * Such a checkpoint can be converted back, to the rounded numbers.
 * @param source a folder with config.json and weights, or a name on the Hugging Face hub
 * @param directory a folder that does not exist yet, in one that does
 * @returns bytes of the weights
 * @throws PersimmonError CHECKPOINT_EXISTS, CHECKPOINT_UNWRITABLE, WEIGHT_NOT_FINITE, INTERRUPTED, OPTION_UNKNOWN,
 *   DTYPE_UNSUPPORTED, THREADS_INVALID, and what opening a checkpoint throws
 */
export async function convertCheckpoint(
  source: string,
  directory: string,
  options: ConvertOptions,
): Promise<number> {
  checkArguments(source, directory, options);
  const { to, signal } = options;
  const device = Device.cpu(options.threads);
  const target = resolve(directory);
  await checkAbsent(target);
  try {
    const from = await resolveCheckpoint(source, {
      onProgress: ({ bytes, totalBytes }) =>
        options.onProgress?.({ stage: "download", loaded: bytes, total: totalBytes }),
      ...(signal !== undefined && { signal }),
    });
    return await convert(await openCheckpoint(from), target, new Converter(device, to, options));
  } catch (error) {
    if (!signal?.aborted) throw error;
    throw new PersimmonError("INTERRUPTED", "the conversion was interrupted; nothing is left of it", {
      cause: error,
    });
  }
}

async function convert(checkpoint: Checkpoint, target: string, converter: Converter): Promise<number> {
  const { directory: from } = checkpoint;
  const config = converter.config(JSON.parse(await readFile(join(from, "config.json"), "utf8")), checkpoint);
  const present = new Set(await readdir(from));
  const partial = await mkdtemp(`${target}.partial-`).catch((error) => {
    throw unwritable(error, target);
  });
  try {
    const tensors = converter.plan([...checkpoint.tensors.values()]);
    await writeSafetensors(join(partial, "model.safetensors"), tensors, { format: "pt" });
    await writeFile(join(partial, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
    for (const name of COMPANIONS)
      if (present.has(name)) await copyFile(join(from, name), join(partial, name));
    await chmod(partial, 0o777 & ~process.umask()); // mkdtemp makes it private
    await rename(partial, target);
    return tensors.reduce((sum, { bytes }) => sum + bytes, 0);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw unwritable(error, target);
  }
}

function checkArguments(source: unknown, directory: unknown, options: ConvertOptions): void {
  if (
    typeof source !== "string" ||
    typeof directory !== "string" ||
    typeof options !== "object" ||
    !options
  ) {
    throw new PersimmonError(
      "ARGUMENT_INVALID",
      'convertCheckpoint takes a folder or hub name, a new folder and options, such as { to: "int8" }',
    );
  }
  const known = ["to", "threads", "onProgress", "signal"] satisfies (keyof ConvertOptions)[];
  checkOptionNames("convertCheckpoint", options, known);
  const { to } = options;
  if (isWeightDType(to)) return;
  throw new PersimmonError(
    "DTYPE_UNSUPPORTED",
    `a checkpoint is converted to "float32", "bfloat16", "int8" or "int4", got ${JSON.stringify(to)}`,
  );
}

async function checkAbsent(target: string): Promise<void> {
  const found = await lstat(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw unwritable(error, target);
  });
  if (found === undefined) return;
  throw new PersimmonError(
    "CHECKPOINT_EXISTS",
    `${target} exists already: give a folder that does not, or remove it`,
  );
}

function unwritable(error: unknown, target: string): unknown {
  if (!(error instanceof Error && "syscall" in error)) return error;
  return new PersimmonError("CHECKPOINT_UNWRITABLE", `${target}: cannot be written: ${error.message}`, {
    cause: error,
  });
}

type Planned = TensorToWrite & { bytes: number };

class Converter {
  private total = 0;
  private loaded = 0;

  constructor(
    private readonly device: Device,
    private readonly to: WeightDType,
    private readonly options: ConvertOptions,
  ) {}

  plan(tensors: CheckpointTensor[]): Planned[] {
    this.total = tensors.reduce((sum, tensor) => sum + tensor.byteLength, 0);
    return tensors.flatMap((tensor) => this.parts(tensor));
  }

  /** The config of the source, with what the weights are now. */
  config(source: Record<string, unknown>, checkpoint: Checkpoint): Record<string, unknown> {
    const { quantization_config: _, dtype: __, ...config } = source;
    config.torch_dtype = dtypeAfter(checkpoint.tensors.get("model.final_layernorm.weight")!, this.to);
    if (isScaled(this.to)) config.quantization_config = quantizationConfig(checkpoint.config, this.to);
    return config;
  }

  /** What becomes of a weight: itself in another type, and what int8 and int4 need beside it. */
  private parts(tensor: CheckpointTensor): Planned[] {
    const { name, shape, byteLength } = tensor;
    const dtype = dtypeAfter(tensor, this.to);
    const elements = async () => {
      const { elements } = await this.read(tensor);
      this.loaded += byteLength;
      this.options.onProgress?.({ stage: "weights", loaded: this.loaded, total: this.total });
      return elements;
    };
    const bytes = elementCount(shape) * bytesPerElement[dtype];
    if (!isScaled(dtype)) return [{ name, dtype, shape, data: elements, bytes }];
    // A file has the widest elements first, so that weights and scales are not written together: they are rounded twice.
    const data = async () => (await this.read(tensor)).scales!;
    const scales = scaleShape(dtype, shape);
    const scaleType = dtype === "int8" ? "float32" : "bfloat16";
    const scaleBytes = elementCount(scales) * bytesPerElement[scaleType];
    const scale: Planned = {
      name: scaleName(name),
      dtype: scaleType,
      shape: scales,
      data,
      bytes: scaleBytes,
    };
    if (dtype === "int8") return [scale, { name, dtype, shape, data: elements, bytes }];
    const sizes = new Uint8Array(BigInt64Array.from(shape, BigInt).buffer);
    return [
      { name: packedName(name), dtype: "int32", shape: packedShape(shape), data: elements, bytes },
      scale,
      { name: shapeName(name), dtype: "int64", shape: [2], data: sizes, bytes: 0 }, // no weights
    ];
  }

  private async read(tensor: CheckpointTensor) {
    this.options.signal?.throwIfAborted();
    using weight = await loadWeight(tensor, this.device, this.to);
    return await weight.stored();
  }
}

function dtypeAfter({ shape, dtype }: CheckpointTensor, to: WeightDType): WeightDType {
  if (!isScaled(to)) return to;
  if (dtype === to || isQuantizable(shape, to)) return to;
  return dtype === "bfloat16" ? "bfloat16" : "float32";
}
