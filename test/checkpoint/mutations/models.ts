import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expectedTensors, parseConfig } from "../../../src/model/config.js";
import {
  type MegatronTensor,
  megatronArchive,
  megatronName,
  megatronPickle,
  namespace,
  tinyArgs,
  writeRelease,
} from "../release/megatron.js";
import { makeTar, tarMember } from "../release/tar_file.js";
import { smallConfig, smallTensors, writeModel } from "../support.js";
import * as make from "../torch_bin/archive.js";

/** A small model in one of the formats, with what is damaged of it. */
export interface Victim {
  /** The bytes to be changed. */
  part: Buffer;
  /** Writes the model with them; returns what is to be opened. */
  write(folder: string, part: Buffer): string;
}

const tensors = smallTensors();
const dataOf = ({ data }: { data: unknown }) => data as Uint8Array;

function pickleOf(list: typeof tensors): Buffer {
  const views = list.map(({ name, shape }, index) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    return [name, make.tensor(make.storage(String(index), count), 0, [...shape], strides)];
  });
  return make.stateDict(Object.fromEntries(views));
}

const storages = Object.fromEntries(tensors.map((tensor, index) => [String(index), dataOf(tensor)]));
const archive = (pickle: Uint8Array) => make.makeZip(make.torchEntries(pickle, storages), { zip64: true });

function inFolder(name: string, bytes: Uint8Array): (folder: string) => string {
  return (folder) => {
    writeFileSync(join(folder, "config.json"), JSON.stringify(smallConfig));
    writeFileSync(join(folder, name), bytes);
    return folder;
  };
}

const megatron: MegatronTensor[] = [...expectedTensors(parseConfig(smallConfig))].map(([name, shape]) => {
  const count = shape.reduce((a, b) => a * b, 1);
  return { name: megatronName(name), shape, data: Buffer.alloc(2 * count, 0x3f) };
});
const args = {
  ...tinyArgs,
  num_layers: 1,
  hidden_size: 8,
  ffn_hidden_size: 12,
  num_attention_heads: 2,
  kv_channels: 4,
};
const release = megatronPickle(megatron, { args: namespace({ ...args, padded_vocab_size: 10 }) });

/** The headers of the members of a release's tar: their data goes on behind them. */
function tarVictim(): Victim {
  const members = [
    { name: "m/latest_checkpointed_iteration.txt", data: Buffer.from("7") },
    { name: "m/iter_0000007/mp_rank_00/model_optim_rng.pt", data: megatronArchive(release, megatron) },
  ];
  const headers = members.map((member) => tarMember(member).subarray(0, 512));
  const whole = makeTar(members);
  return {
    part: Buffer.concat(headers),
    write: (folder, part) => {
      const bytes = Buffer.from(whole);
      for (const [index, offset] of [0, 1024].entries()) {
        const header = Buffer.alloc(512);
        part.subarray(512 * index, 512 * (index + 1)).copy(header);
        // A checksum that is right, so that what it covers is looked at.
        header.write("        ", 148, "latin1");
        const sum = header.reduce((total, byte) => total + byte, 0);
        header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
        header.copy(bytes, offset);
      }
      writeFileSync(join(folder, "m.tar"), bytes);
      return join(folder, "m.tar");
    },
  };
}

/** One victim for each format, by name; `scratch` is an empty folder. */
export async function victims(
  scratch: string,
  read: (path: string) => Buffer,
): Promise<Record<string, Victim>> {
  mkdirSync(scratch, { recursive: true });
  const safetensors = read(join(await writeModel(scratch), "model.safetensors"));
  const length = Number(safetensors.readBigUInt64LE());
  const zip = archive(pickleOf(tensors));
  const shards = {
    weight_map: Object.fromEntries(tensors.map(({ name }) => [name, "a.bin"])),
    metadata: { total_size: 1 },
  };
  return {
    "a safetensors file": {
      part: safetensors,
      write: (folder, part) => inFolder("model.safetensors", part)(folder),
    },
    "a safetensors header of the right length": {
      part: safetensors.subarray(8, 8 + length),
      write: (folder, part) => {
        const start = Buffer.alloc(8);
        start.writeBigUInt64LE(BigInt(part.length));
        const bytes = Buffer.concat([start, part, safetensors.subarray(8 + length)]);
        return inFolder("model.safetensors", bytes)(folder);
      },
    },
    "a zip archive": { part: zip, write: (folder, part) => inFolder("pytorch_model.bin", part)(folder) },
    "a pickle": {
      part: pickleOf(tensors),
      write: (folder, part) => inFolder("pytorch_model.bin", archive(part))(folder),
    },
    "an index": {
      part: Buffer.from(JSON.stringify(shards)),
      write: (folder, part) => {
        writeFileSync(join(folder, "a.bin"), zip);
        return inFolder("pytorch_model.bin.index.json", part)(folder);
      },
    },
    "the headers of a tar": tarVictim(),
    "a pickle of Adept's release": {
      part: release,
      write: (folder, part) => writeRelease(folder, { mp_rank_00: megatronArchive(part, megatron) }),
    },
  };
}
