import { PersimmonError } from "../../errors.js";
import { bytesPerElement, elementCount } from "../dtype.js";
import { PositionalFile } from "../file.js";
import type { StoredTensor } from "../stored_tensor.js";
import { readStateDict, type TensorView } from "./state_dict.js";
import { checkNoOverlap, locate, readEntry, type ZipData } from "./zip.js";
import { readZipDirectory, type ZipDirectory, zipInvalid } from "./zip_directory.js";

// 580 tensors take 100 kB.
const LARGEST_PICKLE = 16 * 2 ** 20;

/**
 * Reads what a torch archive (`torch.save` of torch 1.6 or newer) declares: a zip of stored entries in which
 * `<prefix>/data.pkl` names the tensors and `<prefix>/data/<key>` holds their bytes. No tensor bytes are read.
 *
 * @throws PersimmonError ZIP_INVALID, ZIP_UNSUPPORTED, PICKLE_REFUSED, PICKLE_INVALID, CHECKPOINT_TRUNCATED,
 *   CHECKPOINT_OVERLAP, CHECKPOINT_UNREADABLE
 */
export function readTorchBin(path: string): Promise<Map<string, StoredTensor>> {
  return PositionalFile.use(path, async (file) => {
    await checkFormat(file);
    const directory = await readZipDirectory(file);
    const prefix = findPrefix(path, directory);
    await checkByteOrder(file, directory, prefix);
    const pickle = await readEntry(
      file,
      directory,
      directory.entries.get(`${prefix}data.pkl`)!,
      LARGEST_PICKLE,
    );
    const views = readStateDict(pickle, `${path} (${prefix}data.pkl)`);
    const data = await locateStorages(file, directory, prefix, views.values());
    checkNoOverlap(path, data.values());
    const tensors = new Map<string, StoredTensor>();
    for (const [name, view] of views) tensors.set(name, place(name, view, data.get(view.storage.key)!, path));
    checkViews([...tensors.values()], path);
    return tensors;
  });
}

async function checkFormat(file: PositionalFile): Promise<void> {
  const start = await file.read(0, 4, "the start of a zip archive");
  if (start.toString("latin1") === "vers") {
    throw zipInvalid(file.path, "found a Git LFS pointer in place of the weights; run `git lfs pull` there");
  }
  if (start[0] === 0x80) {
    const message = "found a bare pickle, as torch before 1.6 wrote it; load it in torch and save it again";
    throw new PersimmonError("ZIP_UNSUPPORTED", `${file.path}: ${message}.`);
  }
}

function findPrefix(path: string, directory: ZipDirectory): string {
  const found = [...directory.entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (found.length === 1) return found[0].slice(0, -"data.pkl".length);
  throw zipInvalid(
    path,
    `expected one entry <name>/data.pkl, as torch.save writes it, found ${found.length}`,
  );
}

async function checkByteOrder(file: PositionalFile, directory: ZipDirectory, prefix: string): Promise<void> {
  const entry = directory.entries.get(`${prefix}byteorder`);
  if (entry === undefined) return; // Older torch wrote no such entry, and little-endian data on every common machine.
  const order = (await readEntry(file, directory, entry, 64)).toString("latin1");
  if (order !== "little") {
    throw new PersimmonError(
      "ZIP_UNSUPPORTED",
      `${file.path}: expected little-endian data, found "${order}".`,
    );
  }
}

async function locateStorages(
  file: PositionalFile,
  directory: ZipDirectory,
  prefix: string,
  views: Iterable<TensorView>,
): Promise<Map<string, ZipData>> {
  const data = new Map<string, ZipData>();
  for (const { storage } of views) {
    if (data.has(storage.key)) continue;
    const name = `${prefix}data/${storage.key}`;
    const entry = directory.entries.get(name);
    if (entry === undefined) throw zipInvalid(file.path, `the entry "${name}" is missing`);
    const needed = storage.length * bytesPerElement(storage.dtype);
    if (entry.size !== needed) {
      const expected = `${storage.length} elements of ${storage.dtype} = ${needed} bytes`;
      throw zipInvalid(file.path, `expected entry "${name}" to hold ${expected}, found ${entry.size} bytes`);
    }
    data.set(storage.key, await locate(file, directory, entry));
  }
  return data;
}

function place(name: string, view: TensorView, data: ZipData, file: string): StoredTensor {
  const { shape, strides, offset, storage } = view;
  const width = bytesPerElement(storage.dtype);
  const elements = elementCount(shape);
  // Strides of 0 can describe a tensor of any size over a few bytes.
  if (elements === undefined || elements * width > Number.MAX_SAFE_INTEGER) {
    throw new PersimmonError(
      "PICKLE_INVALID",
      `${file}: tensor "${name}" has the impossible shape [${shape}].`,
    );
  }
  const tensor = {
    name,
    dtype: storage.dtype,
    shape,
    file,
    byteOffset: data.byteOffset + (elements === 0 ? 0 : offset * width),
    byteLength: elements * width,
  };
  return isDense(shape, strides) ? tensor : { ...tensor, strides };
}

/** Whether the strides are those of row-major order; the stride of an axis of length 1 never matters. */
function isDense(shape: number[], strides: number[]): boolean {
  if (shape.includes(0)) return true;
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return false;
    step *= shape[axis];
  }
  return true;
}

/** Views of one storage may be the same (a tied weight) or apart, but two dense ones never overlap in part. */
function checkViews(tensors: StoredTensor[], path: string): void {
  const dense = tensors.filter(({ strides, byteLength }) => strides === undefined && byteLength > 0);
  dense.sort((a, b) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength);
  for (let index = 1; index < dense.length; index++) {
    const before = dense[index - 1];
    const tensor = dense[index];
    const same = before.byteOffset === tensor.byteOffset && before.byteLength === tensor.byteLength;
    if (!same && before.byteOffset + before.byteLength > tensor.byteOffset) {
      const message = `tensors "${before.name}" and "${tensor.name}" overlap at byte ${tensor.byteOffset}`;
      throw new PersimmonError("CHECKPOINT_OVERLAP", `${path}: ${message}.`);
    }
  }
}
