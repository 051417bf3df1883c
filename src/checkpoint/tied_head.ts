import type { PersimmonConfig } from "../model/config.js";
import { PositionalFile } from "./file.js";
import { readTensor } from "./read_tensor.js";
import type { StoredTensor } from "./stored_tensor.js";

const EMBEDDING = "model.embed_tokens.weight";
const HEAD = "lm_head.weight";
const CHUNK = 8 * 2 ** 20;

/**
 * Settles what a tied head means for the tensors found, as transformers 5.18 does (tried): a file with only one of the
 * two matrices gives it to both; where both are there and equal, one is dropped; where they differ, the weights win over
 * the config and the head is not tied.
 */
export async function settleTiedHead(
  config: PersimmonConfig,
  tensors: ReadonlyMap<string, StoredTensor>,
): Promise<{ config: PersimmonConfig; tensors: ReadonlyMap<string, StoredTensor> }> {
  const head = tensors.get(HEAD);
  if (!config.tieWordEmbeddings || head === undefined) return { config, tensors };
  const embedding = tensors.get(EMBEDDING);
  if (embedding !== undefined && !(await sameBytes(embedding, head))) {
    return { config: { ...config, tieWordEmbeddings: false }, tensors };
  }
  const settled = new Map(tensors);
  settled.delete(HEAD);
  settled.set(EMBEDDING, embedding ?? { ...head, name: EMBEDDING });
  return { config, tensors: settled };
}

async function sameBytes(a: StoredTensor, b: StoredTensor): Promise<boolean> {
  if (a.dtype !== b.dtype || String(a.shape) !== String(b.shape)) return false;
  if (a.strides !== undefined || b.strides !== undefined) {
    return Buffer.compare(await readTensor(a), await readTensor(b)) === 0;
  }
  if (a.file === b.file && a.byteOffset === b.byteOffset) return true;
  return PositionalFile.use(a.file, (fileA) =>
    PositionalFile.use(b.file, async (fileB) => {
      // In pieces: at 8B size the two matrices have 2 GB each.
      for (let done = 0; done < a.byteLength; done += CHUNK) {
        const length = Math.min(CHUNK, a.byteLength - done);
        const left = await fileA.read(a.byteOffset + done, length, `tensor "${a.name}"`);
        const right = await fileB.read(b.byteOffset + done, length, `tensor "${b.name}"`);
        if (!left.equals(right)) return false;
      }
      return true;
    }),
  );
}
