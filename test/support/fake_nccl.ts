import { join } from "node:path";
import { repositoryRoot } from "./shared.js";

/** The NCCL for emulated GPUs (test/native/cuda_emulator/nccl), which is built with the addon that emulates them. */
export const fakeNcclFile = join(repositoryRoot, "build", "Release", "libfake_nccl.so");

/** Has the emulated runtime show so many GPUs, and the library take the emulated NCCL. Call it before anything loads the addon. */
export function fakeNccl(gpus: number): void {
  process.env.PERSIMMON_CUDA_EMULATOR_DEVICES = `${gpus}`;
  process.env.PERSIMMON_NCCL = fakeNcclFile;
}

/** What it is to do from now on; see the head of its source. */
export function fakeNcclSettings(settings: { log?: string; refuse?: string; stall?: string }): void {
  for (const name of ["log", "refuse", "stall"] as const) {
    const variable = `PERSIMMON_FAKE_NCCL_${name.toUpperCase()}`;
    const value = settings[name];
    if (value === undefined) delete process.env[variable];
    else process.env[variable] = value;
  }
}
