import { open } from "node:fs/promises";
import { crc32 } from "node:zlib";

// Data begins at multiples of 64 bytes, as torch pads it.
const ALIGNMENT = 64;
const ARCHIVE = "pytorch_model";

/**
 * Writes a state dict of bfloat16 tensors as `torch.save` does: a zip of stored entries, in zip64 form where offsets pass 4 GB,
 * or everywhere when `zip64` says so. Only one block is in memory at a time. Layout: PKWARE's APPNOTE.TXT and torch's
 * caffe2/serialize/inline_container.cc.
 *
 * @param {string} path
 * @param {{ name: string, shape: number[], blocks: () => AsyncIterable<Uint8Array> }[]} tensors
 * @param {{ zip64?: boolean }} [options]
 */
export async function writeTorchArchive(path, tensors, { zip64 = false } = {}) {
  const file = await open(path, "w");
  /** @type {Buffer[]} */
  const directory = [];
  let position = 0;

  const write = async (/** @type {Uint8Array} */ bytes, at = position) => {
    for (let done = 0; done < bytes.byteLength; ) {
      done += (await file.write(bytes, done, bytes.byteLength - done, at + done)).bytesWritten;
    }
  };
  const add = async (
    /** @type {string} */ entry,
    /** @type {number} */ size,
    /** @type {AsyncIterable<Uint8Array>} */ blocks,
  ) => {
    const name = Buffer.from(`${ARCHIVE}/${entry}`);
    const start = position;
    const unpadded = start + 30 + name.length + 4;
    const padding = (ALIGNMENT - (unpadded % ALIGNMENT)) % ALIGNMENT;
    position = unpadded + padding;
    let crc = 0;
    for await (const block of blocks) {
      crc = crc32(block, crc);
      await write(block);
      position += block.byteLength;
    }
    if (position !== unpadded + padding + size) throw new Error(`${entry}: expected ${size} bytes`);
    await write(localHeader(name, size, crc, padding), start);
    directory.push(directoryEntry(name, size, crc, start, zip64));
  };
  const small = (/** @type {string} */ entry, /** @type {Uint8Array} */ bytes) =>
    add(
      entry,
      bytes.byteLength,
      (async function* () {
        yield bytes;
      })(),
    );

  try {
    await small("data.pkl", statePickle(tensors));
    await small("byteorder", Buffer.from("little"));
    for (const [index, { shape, blocks }] of tensors.entries()) {
      await add(`data/${index}`, 2 * count(shape), blocks());
    }
    await small("version", Buffer.from("3\n"));
    const end = endRecords(directory.length, Buffer.concat(directory).byteLength, position);
    await write(Buffer.concat([...directory, end]));
    await file.sync();
  } finally {
    await file.close();
  }
}

const count = (/** @type {number[]} */ shape) => shape.reduce((product, size) => product * size, 1);

/** @param {Buffer} name @param {number} size @param {number} crc @param {number} padding */
function localHeader(name, size, crc, padding) {
  if (size >= 0xffffffff) throw new Error("an entry of 4 GB or more is not written here");
  const header = Buffer.alloc(30 + name.length + 4 + padding);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt32LE(crc, 14);
  header.writeUInt32LE(size, 18);
  header.writeUInt32LE(size, 22);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(4 + padding, 28);
  name.copy(header, 30);
  header.write("FB", 30 + name.length); // torch's name for an extra field that is only padding
  header.writeUInt16LE(padding, 32 + name.length);
  return header;
}

/** @param {Buffer} name @param {number} size @param {number} crc @param {number} offset @param {boolean} zip64 */
function directoryEntry(name, size, crc, offset, zip64) {
  const isWide = zip64 || offset >= 0xffffffff;
  const entry = Buffer.alloc(46);
  entry.writeUInt32LE(0x02014b50, 0);
  entry.writeUInt32LE(crc, 16);
  entry.writeUInt32LE(size, 20);
  entry.writeUInt32LE(size, 24);
  entry.writeUInt16LE(name.length, 28);
  entry.writeUInt16LE(isWide ? 12 : 0, 30);
  entry.writeUInt32LE(isWide ? 0xffffffff : offset, 42);
  if (!isWide) return Buffer.concat([entry, name]);
  const extra = Buffer.alloc(12);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(8, 2);
  extra.writeBigUInt64LE(BigInt(offset), 4);
  return Buffer.concat([entry, name, extra]);
}

/** The end records in their zip64 form: @param {number} entries @param {number} size @param {number} offset */
function endRecords(entries, size, offset) {
  const end64 = Buffer.alloc(56);
  end64.writeUInt32LE(0x06064b50, 0);
  end64.writeBigUInt64LE(44n, 4);
  end64.writeBigUInt64LE(BigInt(entries), 24);
  end64.writeBigUInt64LE(BigInt(entries), 32);
  end64.writeBigUInt64LE(BigInt(size), 40);
  end64.writeBigUInt64LE(BigInt(offset), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(BigInt(offset + size), 8);
  locator.writeUInt32LE(1, 16);
  const end = Buffer.alloc(22, 0xff);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt32LE(0, 4); // disks
  end.writeUInt16LE(0, 20);
  return Buffer.concat([end64, locator, end]);
}

/** The pickle of an OrderedDict of tensors (protocol 2). @param {{ name: string, shape: number[] }[]} tensors */
function statePickle(tensors) {
  const text = (/** @type {string} */ value) => {
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(5, "X");
    length.writeUInt32LE(bytes.length, 1);
    return Buffer.concat([length, bytes]);
  };
  const integer = (/** @type {number} */ value) => {
    const bytes = Buffer.alloc(5, "J");
    bytes.writeInt32LE(value, 1);
    return bytes;
  };
  const opcodes = (/** @type {string} */ value) => Buffer.from(value, "latin1");
  const tuple = (/** @type {Buffer[]} */ ...items) => Buffer.concat([opcodes("("), ...items, opcodes("t")]);
  const ordered = opcodes("ccollections\nOrderedDict\n)R");
  const items = tensors.map(({ name, shape }, index) => {
    const strides = shape.map((_, axis) => count(shape.slice(axis + 1)));
    const kind = opcodes("ctorch\nBFloat16Storage\n");
    const storage = tuple(text("storage"), kind, text(String(index)), text("cpu"), integer(count(shape)));
    const view = [tuple(...shape.map(integer)), tuple(...strides.map(integer))];
    const rebuilt = tuple(storage, opcodes("Q"), integer(0), ...view, opcodes("\x89"), ordered);
    return Buffer.concat([text(name), opcodes("ctorch._utils\n_rebuild_tensor_v2\n"), rebuilt, opcodes("R")]);
  });
  return Buffer.concat([opcodes("\x80\x02"), ordered, opcodes("("), ...items, opcodes("u.")]);
}
