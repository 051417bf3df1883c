import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import {
  type CheckpointTensor,
  isQuantizable,
  openCheckpoint,
  QUANTIZATION_CONFIG,
  resolveCheckpoint,
  scaleName,
  type TensorToWrite,
  writeSafetensors,
} from "./checkpoint/index.js";
import { PersimmonError } from "./errors.js";
import { loadWeight, type WeightDType } from "./runtime/load_weights.js";
import { Device } from "./tensor/device.js";
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
 * weight is in memory at a time. The new folder appears when it is complete; what is written before lies beside it in a
 * folder that ends in `.partial`, and is removed when the conversion fails.
 *
 * Of int8, `X.weight` is int8 and `X.weight_scale` float32 [rows, 1]; embedding, norms and biases keep their type. An int8
 * checkpoint can be converted back, to the rounded numbers.
 * @param source a folder with config.json and weights, or a name on the Hugging Face hub
 * @param directory a folder that does not exist yet
 * @returns bytes of the weights
 * @throws PersimmonError CHECKPOINT_EXISTS, CHECKPOINT_UNWRITABLE, WEIGHT_NOT_FINITE, INTERRUPTED, and what opening a checkpoint throws
 */
export async function convertCheckpoint(
  source: string,
  directory: string,
  options: ConvertOptions,
): Promise<number> {
  const { to } = options;
  if (to !== "float32" && to !== "bfloat16" && to !== "int8") {
    throw new PersimmonError(
      "DTYPE_UNSUPPORTED",
      `a checkpoint is converted to "float32", "bfloat16" or "int8" in this version, got ${JSON.stringify(to)}`,
    );
  }
  const from = await resolveCheckpoint(source, {
    onProgress: ({ bytes, totalBytes }) =>
      options.onProgress?.({ stage: "download", loaded: bytes, total: totalBytes }),
  });
  const checkpoint = await openCheckpoint(from);
  const target = resolve(directory);
  const partial = `${target}.partial`;
  await makeEmpty(target, partial);
  try {
    const tensors = [...checkpoint.tensors.values()];
    const progress = progressOf(tensors, options);
    const written = new Converter(Device.cpu(options.threads), to, progress).plan(tensors);
    await writeSafetensors(join(partial, "model.safetensors"), written, { format: "pt" });
    await writeConfig(from, partial, to);
    const present = new Set(await readdir(from));
    for (const name of COMPANIONS)
      if (present.has(name)) await copyFile(join(from, name), join(partial, name));
    await rename(partial, target);
    return written.reduce((sum, { bytes }) => sum + bytes, 0);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw systemError(error, target);
  }
}

async function makeEmpty(target: string, partial: string): Promise<void> {
  const exists = await readdir(target).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== "ENOENT",
  );
  if (exists) {
    throw new PersimmonError(
      "CHECKPOINT_EXISTS",
      `${target} exists already: give a folder that does not, or remove it`,
    );
  }
  try {
    await rm(partial, { recursive: true, force: true }); // of a conversion that was killed
    await mkdir(partial, { recursive: true });
  } catch (error) {
    throw systemError(error, target);
  }
}

function systemError(error: unknown, target: string): unknown {
  if (!(error instanceof Error && "syscall" in error)) return error;
  return new PersimmonError("CHECKPOINT_UNWRITABLE", `${target}: cannot be written: ${error.message}`, {
    cause: error,
  });
}

/** Says how far it is whenever a tensor is done, and ends the conversion there when that is wanted. */
function progressOf(tensors: CheckpointTensor[], { onProgress, signal }: ConvertOptions) {
  const total = tensors.reduce((sum, tensor) => sum + tensor.byteLength, 0);
  let loaded = 0;
  return (done: number) => {
    if (signal?.aborted) throw new PersimmonError("INTERRUPTED", "the conversion was interrupted");
    loaded += done;
    onProgress?.({ stage: "weights", loaded, total });
  };
}

type Planned = TensorToWrite & { bytes: number };

class Converter {
  constructor(
    private readonly device: Device,
    private readonly to: WeightDType,
    private readonly progress: (done: number) => void,
  ) {}

  plan(tensors: CheckpointTensor[]): Planned[] {
    return tensors.flatMap((tensor) => this.parts(tensor));
  }

  /** What becomes of a weight: itself in another type, and the scales of an int8 one. */
  private parts(tensor: CheckpointTensor): Planned[] {
    const { name, shape, byteLength } = tensor;
    const dtype = dtypeAfter(tensor, this.to);
    const count = shape.reduce((product, size) => product * size, 1);
    const elements = async () => {
      const { elements } = await this.read(tensor);
      this.progress(byteLength);
      return elements;
    };
    const width = { float32: 4, bfloat16: 2, int8: 1 }[dtype];
    const weight: Planned = { name, dtype, shape, data: elements, bytes: width * count };
    if (dtype !== "int8") return [weight];
    // The file has wide elements first, so the scales are wanted before the weights: those are rounded twice.
    const data = async () => {
      this.progress(0);
      return (await this.read(tensor)).scales!;
    };
    return [
      { name: scaleName(name), dtype: "float32", shape: [shape[0], 1], data, bytes: 4 * shape[0] },
      weight,
    ];
  }

  private async read(tensor: CheckpointTensor) {
    using weight = await loadWeight(tensor, this.device, this.to);
    return await weight.stored();
  }
}

function dtypeAfter(tensor: CheckpointTensor, to: WeightDType): WeightDType {
  if (to !== "int8") return to;
  if (tensor.dtype === "int8" || isQuantizable(tensor.name, tensor.shape)) return "int8";
  return tensor.dtype === "bfloat16" ? "bfloat16" : "float32";
}

/** The config of the source, with what the weights are now. */
async function writeConfig(from: string, to: string, dtype: WeightDType): Promise<void> {
  const config = JSON.parse(await readFile(join(from, "config.json"), "utf8"));
  delete config.quantization_config;
  if (dtype === "int8") config.quantization_config = QUANTIZATION_CONFIG;
  else {
    delete config.dtype;
    config.torch_dtype = dtype;
  }
  await writeFile(join(to, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
}
