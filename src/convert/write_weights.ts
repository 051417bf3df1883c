import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { layOut, type SafetensorsLayout } from "../checkpoint/index.js";
import { PersimmonError } from "../errors.js";
import { loadRows, nameIn, type WeightDType } from "../runtime/load_weights.js";
import type { Device } from "../tensor/device.js";
import { isScaled } from "../tensor/dtype.js";
import { roundedRows } from "../tensor/rounded_rows.js";
import type { Journal } from "./journal.js";
import { type Block, blocksOf, type Conversion } from "./outputs.js";

/** Everything that the new model.safetensors is to hold, and where. */
export interface WeightsPlan {
  path: string;
  conversions: Conversion[];
  layout: SafetensorsLayout;
  blocks: Block[];
}

export function planWeights(
  path: string,
  conversions: Conversion[],
  metadata: Record<string, string>,
): WeightsPlan {
  const declared = conversions.flatMap(({ outputs, shapeOutput }) => [
    ...outputs,
    ...(shapeOutput === undefined ? [] : [{ name: shapeOutput.name, dtype: "int64" as const, shape: [2] }]),
  ]);
  const layout = layOut(declared, path, metadata);
  return { path, conversions, layout, blocks: conversions.flatMap(blocksOf) };
}

/** What tells one layout from another. */
export function digestOf({ layout }: WeightsPlan): string {
  return createHash("sha256").update(layout.header).digest("hex");
}

/** A part of a block in the new file. */
interface Part {
  name: string;
  position: number;
  byteLength: number;
}

function partsOf({ layout }: WeightsPlan, { conversion, firstOut, count }: Block): Part[] {
  return conversion.outputs.map(({ name, rowBytes }) => ({
    name,
    position: layout.places.get(name)!.offset + firstOut * rowBytes,
    byteLength: count * rowBytes,
  }));
}

/** How far it is, in blocks of about equal size. */
type Progress = (loaded: number, total: number) => void;

/**
 * Writes the blocks that the journal does not have, or of which the file does not have what the journal says. The source is
 * read by rows, so that memory does not depend on the size of the model.
 */
export async function writeWeights(
  plan: WeightsPlan,
  journal: Journal,
  device: Device,
  to: WeightDType,
  signal: AbortSignal | undefined,
  onProgress: Progress,
): Promise<void> {
  const file = await open(plan.path, "r+").catch(() => open(plan.path, "w+"));
  try {
    await file.truncate(plan.layout.size);
    await writeFixed(file, plan);
    for (const [index, block] of plan.blocks.entries()) {
      signal?.throwIfAborted();
      const parts = partsOf(plan, block);
      if (!(await isWritten(file, parts, journal.done.get(index)))) {
        const bytes = await convertBlock(block, device, to);
        for (const [at, part] of parts.entries()) await writeAll(file, bytes[at], part);
        await journal.add(
          index,
          bytes.map((one) => crc32(one)),
        );
      }
      onProgress(index + 1, plan.blocks.length);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The header and the shapes, which are the same in every run. */
async function writeFixed(file: FileHandle, { layout, conversions }: WeightsPlan): Promise<void> {
  await writeAll(file, layout.header, {
    name: "the header",
    position: 0,
    byteLength: layout.header.byteLength,
  });
  for (const { shapeOutput } of conversions) {
    if (shapeOutput === undefined) continue;
    const { offset, byteLength } = layout.places.get(shapeOutput.name)!;
    await writeAll(file, shapeOutput.bytes, { name: shapeOutput.name, position: offset, byteLength });
  }
}

/** The bytes of the outputs of a block, in their order. */
async function convertBlock(
  { conversion, first, count }: Block,
  device: Device,
  to: WeightDType,
): Promise<Uint8Array[]> {
  const { tensor, dtype } = conversion;
  if (!isScaled(dtype) || tensor.dtype === dtype) {
    using weight = await loadRows(tensor, device, to, first, count);
    const { elements, scales } = await weight.stored();
    return scales === undefined ? [elements] : [elements, scales];
  }
  const exact = tensor.dtype === "bfloat16" ? "bfloat16" : "float32";
  using weight = await loadRows(tensor, device, exact, first, count);
  try {
    const { elements, scales } = await roundedRows(weight, dtype);
    return [elements, scales];
  } catch (error) {
    throw nameIn(error, tensor.name);
  }
}

async function writeAll(
  file: FileHandle,
  bytes: Uint8Array,
  { name, position, byteLength }: Part,
): Promise<void> {
  if (bytes.byteLength !== byteLength) {
    throw new PersimmonError(
      "TENSOR_INVALID",
      `${name}: expected ${byteLength} bytes, made ${bytes.byteLength}.`,
    );
  }
  for (let done = 0; done < byteLength; ) {
    done += (await file.write(bytes, done, byteLength - done, position + done)).bytesWritten;
  }
}

async function isWritten(file: FileHandle, parts: Part[], checksums: number[] | undefined): Promise<boolean> {
  if (checksums?.length !== parts.length) return false;
  for (const [index, part] of parts.entries()) {
    if ((await checksumOf(file, part)) !== checksums[index]) return false;
  }
  return true;
}

async function checksumOf(file: FileHandle, { position, byteLength }: Part): Promise<number | undefined> {
  const bytes = Buffer.allocUnsafe(byteLength);
  for (let done = 0; done < byteLength; ) {
    const { bytesRead } = await file.read(bytes, done, byteLength - done, position + done);
    if (bytesRead === 0) return undefined;
    done += bytesRead;
  }
  return crc32(bytes);
}

/**
 * Reads the file again and compares it with what was written.
 * @throws PersimmonError CONVERSION_CORRUPT
 */
export async function verifyBytes(
  plan: WeightsPlan,
  journal: Journal,
  signal: AbortSignal | undefined,
  onProgress: Progress,
): Promise<void> {
  const file = await open(plan.path, "r");
  try {
    for (const [index, block] of plan.blocks.entries()) {
      signal?.throwIfAborted();
      if (!(await isWritten(file, partsOf(plan, block), journal.done.get(index)))) {
        throw new PersimmonError(
          "CONVERSION_CORRUPT",
          `${plan.path}: "${block.conversion.tensor.name}" is not what was written. The disk or the memory is failing; run it again, which makes that part anew.`,
        );
      }
      onProgress(index + 1, plan.blocks.length);
    }
  } finally {
    await file.close();
  }
}
