export { type Checkpoint, type CheckpointTensor, storedElements } from "./checkpoint.js";
export type { CheckpointDType, StoredDType } from "./dtype.js";
export { type FileRange, readRange } from "./file.js";
export type { RemoteCheckpoint } from "./hub/inspect.js";
export type { DownloadProgress } from "./hub/repository.js";
export type { PulledModel } from "./hub/snapshot.js";
export { openCheckpoint } from "./open.js";
export {
  isQuantizable,
  packedName,
  packedShape,
  quantizationConfig,
  scaleName,
  scaleShape,
  shapeName,
} from "./quantized.js";
export { readTensor } from "./read_tensor.js";
export { isTarName } from "./release/tar.js";
export {
  inspectCheckpoint,
  type PullOptions,
  pullCheckpoint,
  type ResolveOptions,
  resolveCheckpoint,
} from "./resolve.js";
export { readSafetensorsHeader, type SafetensorsFile } from "./safetensors.js";
export {
  layOut,
  type SafetensorsLayout,
  type TensorToWrite,
  writeSafetensors,
} from "./safetensors_writer.js";
export { byteSpan, type StoredTensor } from "./stored_tensor.js";
