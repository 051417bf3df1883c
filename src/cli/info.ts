import { Command } from "commander";
import { type Checkpoint, openCheckpoint, resolveCheckpoint } from "../checkpoint/index.js";
import { moduleTree } from "./module_tree.js";

/** What `persimmon info --json` prints. */
export interface CheckpointInfo {
  directory: string;
  config: Checkpoint["config"];
  tensors: number;
  parameters: number;
  bytes: number;
  /** Bytes of the tensors of each element type. */
  bytesByDType: Record<string, number>;
}

/** `persimmon info`: what is in a checkpoint, without reading its weights. */
export function infoCommand(): Command {
  return new Command("info")
    .description("show a checkpoint: configuration, module tree, tensors and bytes")
    .argument("[model]", "folder of a checkpoint, or its name on the hub (default: the bundled demo model)")
    .option("--json", "print it as JSON, without the tree")
    .action(async (model: string | undefined, { json }: { json?: boolean }) => {
      const { demoModelDirectory } = await import("../load_model.js");
      const checkpoint = await openCheckpoint(await resolveCheckpoint(model ?? demoModelDirectory()));
      const info = describeCheckpoint(checkpoint);
      process.stdout.write(json ? `${JSON.stringify(info, null, 2)}\n` : formatInfo(info, checkpoint));
    });
}

export function describeCheckpoint({ directory, config, tensors }: Checkpoint): CheckpointInfo {
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
    parameters += shape.reduce((product, size) => product * size, 1);
  }
  return { directory, config, tensors: tensors.size, parameters, bytes, bytesByDType };
}

function formatInfo(info: CheckpointInfo, { tensors }: Checkpoint): string {
  const settings = Object.entries(info.config).filter(([, value]) => value !== undefined);
  const width = Math.max(...settings.map(([name]) => name.length));
  const types = Object.entries(info.bytesByDType).map(([dtype, bytes]) => `${megabytes(bytes)} ${dtype}`);
  return [
    info.directory,
    "",
    ...settings.map(([name, value]) => `${name.padEnd(width)}  ${JSON.stringify(value)}`),
    "",
    ...moduleTree(tensors.values()),
    "",
    `${info.tensors} tensors, ${info.parameters.toLocaleString("en")} parameters, ${types.join(", ")}`,
    "",
  ].join("\n");
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
