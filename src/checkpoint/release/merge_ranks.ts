import { PersimmonError } from "../../errors.js";
import { nameList } from "../name_list.js";
import { sameBytes } from "../read_tensor.js";
import type { StoredTensor } from "../stored_tensor.js";
import { splitAxis } from "./names.js";

/**
 * The whole tensors of a checkpoint that tensor parallelism split over ranks. What every rank has whole is read and compared:
 * norms and biases, 1 MB at 8B size.
 *
 * @param ranks tensors by name in Hugging Face format, in the order of the ranks
 * @throws PersimmonError RELEASE_RANKS_DIFFER
 */
export async function mergeRanks(
  ranks: readonly ReadonlyMap<string, StoredTensor>[],
  where: string,
): Promise<Map<string, StoredTensor>> {
  const [first, ...others] = ranks;
  checkNames(ranks, where);
  const merged = new Map<string, StoredTensor>();
  for (const [name, tensor] of first) {
    const axis = splitAxis(name);
    const parts = ranks.map((rank) => rank.get(name)!);
    if (others.length > 0 && axis !== undefined) merged.set(name, join(parts, axis, where));
    else merged.set(name, await theSame(parts, tensor, where));
  }
  return merged;
}

function differ(where: string, message: string): PersimmonError {
  return new PersimmonError(
    "RELEASE_RANKS_DIFFER",
    `${where}: the files of the tensor-parallel ranks are not of one checkpoint: ${message}. Fetch all of them again.`,
  );
}

function checkNames(ranks: readonly ReadonlyMap<string, StoredTensor>[], where: string): void {
  for (const [index, rank] of ranks.entries()) {
    const absent = [...ranks[0].keys()].filter((name) => !rank.has(name));
    const extra = [...rank.keys()].filter((name) => !ranks[0].has(name));
    if (absent.length === 0 && extra.length === 0) continue;
    throw differ(
      where,
      `rank 0 and rank ${index} have different tensors: ${nameList([...absent, ...extra])}`,
    );
  }
}

function join(parts: StoredTensor[], axis: 0 | 1, where: string): StoredTensor {
  const [{ name, dtype, shape }] = parts;
  for (const [index, part] of parts.entries()) {
    const same = part.dtype === dtype && part.shape.length === shape.length && part.shape[axis] > 0;
    if (same && shape.length > axis && shape.every((size, at) => at === axis || size === part.shape[at]))
      continue;
    throw differ(
      where,
      `"${name}" is ${dtype} [${shape}] in rank 0 and ${part.dtype} [${part.shape}] in rank ${index}`,
    );
  }
  const total = parts.reduce((sum, part) => sum + part.shape[axis], 0);
  const { strides: _, ...first } = parts[0];
  return {
    ...first,
    shape: shape.map((size, at) => (at === axis ? total : size)),
    byteLength: parts.reduce((sum, part) => sum + part.byteLength, 0),
    parts,
    joinedAlong: axis,
  };
}

async function theSame(parts: StoredTensor[], tensor: StoredTensor, where: string): Promise<StoredTensor> {
  for (const [index, part] of parts.entries()) {
    if (index > 0 && !(await sameBytes(tensor, part))) {
      throw differ(where, `"${tensor.name}", which every rank has whole, differs in rank ${index}`);
    }
  }
  return tensor;
}
