import type { PersimmonConfig, SpecialTokenIds } from "../model/config.js";
import type { CheckpointDType } from "./dtype.js";
import type { StoredTensor } from "./stored_tensor.js";

/** A weight of the model, in a format that it computes with. */
export interface CheckpointTensor extends StoredTensor {
  dtype: CheckpointDType | "int8";
  /** Of an int8 matrix: float32 [rows, 1]; a number is its integer times the scale of its row. */
  scale?: StoredTensor;
}

/** A model on disk whose every declaration has been checked; no weight has been read yet. */
export interface Checkpoint {
  /** `tieWordEmbeddings` is what holds for these weights; see {@link openCheckpoint}. */
  config: PersimmonConfig;
  /** What generation starts and stops at: generation_config.json where there is one, else config.json. */
  generationConfig: SpecialTokenIds;
  /** Exactly the tensors of `expectedTensors(config)`, by name. */
  tensors: Map<string, CheckpointTensor>;
  directory: string;
}
