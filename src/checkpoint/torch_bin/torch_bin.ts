import { PersimmonError } from "../../errors.js";
import { bytesPerElement, elementCount } from "../dtype.js";
import { type FileRange, PositionalFile } from "../file.js";
import type { StoredTensor } from "../stored_tensor.js";
import { readStateDict } from "./state_dict.js";
import type { TensorView } from "./torch_rules.js";
import { checkNoOverlap, locate, readEntry, type ZipData } from "./zip.js";
import { readZipDirectory, type ZipDirectory, zipInvalid } from "./zip_directory.js";

// 580 tensors take 100 kB.
const LARGEST_PICKLE = 16 * 2 ** 20;
const LARGEST_EXPANDED = 2 ** 20;

/**
 * Reads what a torch archive (`torch.save` of torch 1.6 or newer) declares: a zip of stored entries in which
 * `<prefix>/data.pkl` names the tensors and `<prefix>/data/<key>` holds their bytes. No tensor bytes are read.
 *
 * @param readViews finds the tensors in `data.pkl`; default: it is a plain state dict
 * @throws PersimmonError ZIP_INVALID, ZIP_UNSUPPORTED, PICKLE_REFUSED, PICKLE_INVALID, CHECKPOINT_TRUNCATED,
 *   CHECKPOINT_OVERLAP, CHECKPOINT_UNREADABLE
 */
export function readTorchBin(
  place: string | FileRange,
  readViews: (pickle: Buffer, where: string) => Map<string, TensorView> = readStateDict,
): Promise<Map<string, StoredTensor>> {
  return PositionalFile.use(place, async (file) => {
    const { path } = file;
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
    const views = readViews(pickle, `${path} (${prefix}data.pkl)`);
    const data = await locateStorages(file, directory, prefix, views.values());
    checkNoOverlap(path, data.values());
    const tensors = new Map<string, StoredTensor>();
    for (const [name, view] of views)
      tensors.set(name, placed(name, view, data.get(view.storage.key)!, file));
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

function placed(
  name: string,
  view: TensorView,
  data: ZipData,
  { file, start, path }: PositionalFile,
): StoredTensor {
  const { shape, strides, offset, storage } = view;
  const width = bytesPerElement(storage.dtype);
  const elements = elementCount(shape);
  // Strides of 0 can describe a tensor of any size over a few bytes; no weight is stored so.
  const most = Math.max(storage.length * width, LARGEST_EXPANDED);
  if (elements === undefined || elements * width > most) {
    throw new PersimmonError(
      "PICKLE_INVALID",
      `${path}: tensor "${name}" has the impossible shape [${shape}] over ${storage.length} stored elements.`,
    );
  }
  const tensor = {
    name,
    dtype: storage.dtype,
    shape,
    file,
    byteOffset: start + data.byteOffset + (elements === 0 ? 0 : offset * width),
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
