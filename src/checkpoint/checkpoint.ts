import type { PersimmonConfig, SpecialTokenIds } from "../model/config.js";
import type { CheckpointDType } from "./dtype.js";
import type { FileRange } from "./file.js";
import type { StoredTensor } from "./stored_tensor.js";

/** A weight of the model, in a format that it computes with. */
export interface CheckpointTensor extends Omit<StoredTensor, "dtype"> {
  dtype: CheckpointDType | "int8" | "int4";
  /**
   * Of an int8 matrix: float32 [rows, 1]; a number is its integer times the scale of its row. Of an int4 matrix: bfloat16
   * [rows, columns / 32], for each 32 numbers of a row.
   */
  scale?: StoredTensor;
  /** Of an int4 matrix: its numbers plus 8, int32 [rows, columns / 8], the first of eight in the lowest bits. */
  packed?: StoredTensor;
}

/** Where the elements of a weight lie in a file, as it declares them. */
export function storedElements(tensor: CheckpointTensor | StoredTensor): StoredTensor {
  return ("packed" in tensor ? tensor.packed : undefined) ?? (tensor as StoredTensor);
}

/** A model on disk whose every declaration has been checked; no weight has been read yet. */
export interface Checkpoint {
  /** `tieWordEmbeddings` is what holds for these weights; see {@link openCheckpoint}. */
  config: PersimmonConfig;
  /**
   * What generation starts and stops at: generation_config.json where there is one, else config.json. Adept's release names no
   * ids; there it is undefined, and the vocabulary's end of text is what Adept's code takes.
   */
  generationConfig: SpecialTokenIds | undefined;
  /** config.json as it was parsed; of Adept's release what it would be, without ids. */
  configJson: Record<string, unknown>;
  /** Where a tokenizer lies that is not a file of its own: in a tar. */
  vocabulary?: FileRange;
  /** Exactly the tensors of `expectedTensors(config)`, by name. */
  tensors: Map<string, CheckpointTensor>;
  /** The folder that was opened; of a tar its path. */
  directory: string;
}
