import { Command } from "commander";
import type { Checkpoint, CheckpointTensor, RemoteCheckpoint } from "../checkpoint/index.js";
import { inspectCheckpoint } from "../checkpoint/index.js";
import { sizeText } from "../checkpoint/size_text.js";
import { expectedTensors } from "../model/config.js";
import { type MemoryRow, memoryLines, memoryRows } from "./memory_table.js";
import { moduleTree } from "./module_tree.js";
import { type KnownSparsity, knownSparsity, trainingOf } from "./sparsity.js";

/** What `persimmon info --json` prints. */
export interface CheckpointInfo {
  /** Of a checkpoint on this machine. */
  directory?: string;
  /** Of one on the hub, and its commit. */
  hub?: { name: string; commit: string };
  config: Checkpoint["config"];
  tensors: number;
  parameters: number;
  /** Of the tensors; of `.bin` files on the hub that of the files. */
  bytes: number;
  /** Bytes of the tensors of each element type; empty for `.bin` files on the hub, whose tensors are not read. */
  bytesByDType: Record<string, number>;
  /** Of the weights, on the hub. */
  files?: { path: string; bytes: number }[];
  sparsity?: KnownSparsity;
  /** What it takes in memory, for each way of loading it. */
  memory: MemoryRow[];
}

/** `persimmon info`: what is in a checkpoint and what it takes in memory, without reading its weights. */
export function infoCommand(): Command {
  return new Command("info")
    .description("show a checkpoint: configuration, modules, tensors, bytes, and the memory that it takes")
    .argument("[model]", "folder of a checkpoint, or its name on the hub (default: the bundled demo model)")
    .option("--json", "print it as JSON, without the tree")
    .addHelpText(
      "after",
      "\nOf a model on the hub that was not downloaded, the configuration and the headers of the files are read, no weights.",
    )
    .action(async (model: string | undefined, { json }: { json?: boolean }) => {
      const { demoModelDirectory } = await import("../load_model.js");
      const checkpoint = await inspectCheckpoint(model ?? demoModelDirectory());
      const info = describeCheckpoint(checkpoint);
      process.stdout.write(
        json ? `${JSON.stringify(info, null, 2)}\n` : formatInfo(info, checkpoint.tensors),
      );
    });
}

export function describeCheckpoint(checkpoint: Checkpoint | RemoteCheckpoint): CheckpointInfo {
  const { config, tensors } = checkpoint;
  const isLocal = "directory" in checkpoint;
  const training = isLocal ? trainingOf(checkpoint.directory) : checkpoint.training;
  const sparsity = knownSparsity(training, config.numHiddenLayers);
  const weights = tensors === undefined ? undeclared(checkpoint as RemoteCheckpoint) : declared(tensors);
  return {
    ...(isLocal
      ? { directory: checkpoint.directory }
      : { hub: { name: checkpoint.name, commit: checkpoint.commit }, files: checkpoint.weightFiles }),
    config,
    ...weights,
    ...(sparsity && { sparsity }),
    memory: memoryRows(config, tensors),
  };
}

type Weights = Pick<CheckpointInfo, "tensors" | "parameters" | "bytes" | "bytesByDType">;

const elements = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

function declared(tensors: ReadonlyMap<string, CheckpointTensor>): Weights {
  const bytesByDType: Record<string, number> = {};
  let parameters = 0;
  let bytes = 0;
  const add = (dtype: string, byteLength: number) => {
    bytesByDType[dtype] = (bytesByDType[dtype] ?? 0) + byteLength;
    bytes += byteLength;
  };
  for (const { dtype, shape, byteLength, scale } of tensors.values()) {
    add(dtype, byteLength);
    if (scale !== undefined) add(scale.dtype, scale.byteLength);
    parameters += elements(shape);
  }
  return { tensors: tensors.size, parameters, bytes, bytesByDType };
}

/** What the configuration implies, and the sizes of the files. */
function undeclared({ config, weightFiles }: RemoteCheckpoint): Weights {
  const expected = expectedTensors(config);
  const parameters = [...expected.values()].reduce((sum, shape) => sum + elements(shape), 0);
  const bytes = weightFiles.reduce((sum, file) => sum + file.bytes, 0);
  return { tensors: expected.size, parameters, bytes, bytesByDType: {} };
}

function formatInfo(
  info: CheckpointInfo,
  tensors: ReadonlyMap<string, CheckpointTensor> | undefined,
): string {
  const settings = Object.entries(info.config).filter(([, value]) => value !== undefined);
  const width = Math.max(...settings.map(([name]) => name.length));
  const { hub, sparsity, files = [] } = info;
  const types = Object.entries(info.bytesByDType).map(([dtype, bytes]) => `${sizeText(bytes)} ${dtype}`);
  const amount = types.length > 0 ? types.join(", ") : `${sizeText(info.bytes)} in ${files.length} files`;
  return [
    hub === undefined ? info.directory : `${hub.name} at commit ${hub.commit}, on the hub`,
    "",
    ...settings.map(([name, value]) => `${name.padEnd(width)}  ${JSON.stringify(value)}`),
    "",
    ...(tensors === undefined ? [] : [...moduleTree(tensors.values()), ""]),
    ...files.map(({ path, bytes }) => `${path}  ${sizeText(bytes)}`),
    `${info.tensors} tensors, ${info.parameters.toLocaleString("en")} parameters, ${amount}`,
    ...(sparsity ? [`zeros after squared ReLU, as training.json has them: ${zeros(sparsity)}`] : []),
    "",
    ...memoryLines(info.memory),
    "",
  ].join("\n");
}

function zeros({ mean, layers }: KnownSparsity): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return `${percent(mean)}, by layer ${percent(Math.min(...layers))} to ${percent(Math.max(...layers))}`;
}
