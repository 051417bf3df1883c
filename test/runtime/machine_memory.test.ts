import { freemem } from "node:os";
import { expect, it } from "vitest";
import { gpuMemory, machineMemory } from "../../src/runtime/machine_memory.js";
import type { Device } from "../../src/tensor/device.js";

const meminfo = "MemTotal:       24684144 kB\nMemFree:         1000000 kB\nMemAvailable:   20000000 kB\n";

/** A reader of files that are not those of this machine. */
const files = (texts: Record<string, string>) => (path: string) => texts[path];
const onLinux = (texts: Record<string, string>) =>
  machineMemory(files({ "/proc/meminfo": meminfo, ...texts }), "linux");

it("takes MemAvailable, not MemFree, where nothing else limits", () => {
  expect(onLinux({})).toEqual({
    memory: { free: 20_480_000_000, from: "MemAvailable of the machine" },
    addressSpace: undefined,
  });
});

it("version 2: the tightest of the groups around the process, whose file pages can be taken back", () => {
  const found = onLinux({
    "/proc/self/cgroup": "0::/user.slice/run-1.scope\n",
    "/sys/fs/cgroup/user.slice/run-1.scope/memory.max": "max\n",
    "/sys/fs/cgroup/user.slice/memory.max": "4000000000\n",
    "/sys/fs/cgroup/user.slice/memory.current": "3000000000\n",
    "/sys/fs/cgroup/user.slice/memory.stat": "anon 900\ninactive_file 500000000\nactive_file 100000000\n",
    "/sys/fs/cgroup/memory.max": "9000000000\n",
    "/sys/fs/cgroup/memory.current": "0\n",
  });
  expect(found.memory).toEqual({
    free: 1_600_000_000,
    from: "memory.max of the control group /user.slice",
  });
});

it("version 1, also beside an empty group of version 2, and in a container whose group is the root", () => {
  const texts = {
    "/proc/self/cgroup": "9:name=systemd:/\n4:cpu,memory:/job/a\n0::/\n",
    "/sys/fs/cgroup/memory/job/a/memory.limit_in_bytes": "9223372036854771712\n",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "2000000000\n",
    "/sys/fs/cgroup/memory/memory.usage_in_bytes": "1500000000\n",
    "/sys/fs/cgroup/memory/memory.stat":
      "inactive_file 7\ntotal_inactive_file 200000000\ntotal_active_file 0\n",
  };
  expect(onLinux(texts).memory).toEqual({
    free: 700_000_000,
    from: "memory.limit_in_bytes of the control group /",
  });
});

it("a group that is over its limit has nothing left, and the machine may be scarcer than a group", () => {
  const group = (limit: number, usage: number) =>
    onLinux({
      "/proc/self/cgroup": "0::/a\n",
      "/sys/fs/cgroup/a/memory.max": `${limit}\n`,
      "/sys/fs/cgroup/a/memory.current": `${usage}\n`,
    }).memory;
  expect(group(1000, 2000).free).toBe(0);
  expect(group(1e12, 0).from).toBe("MemAvailable of the machine");
});

it("ulimit -v: what is left of the address space", () => {
  const limits = (value: string) =>
    `Limit    Soft Limit   Hard Limit  Units\nMax address space         ${value}      bytes\n`;
  const status = "Name:\tnode\nVmSize:\t 1000000 kB\n";
  const space = (value: string) =>
    onLinux({ "/proc/self/limits": limits(value), "/proc/self/status": status }).addressSpace;
  expect(space("4096000000           4096000000")?.free).toBe(4_096_000_000 - 1_024_000_000);
  expect(space("unlimited            unlimited")).toBeUndefined();
});

it("elsewhere, and where /proc is missing, it is what the system calls free", () => {
  for (const memory of [machineMemory(files({}), "darwin"), machineMemory(files({}), "linux")]) {
    expect(memory.memory.from).toBe("free memory of the system");
    expect(memory.memory.free / freemem()).toBeCloseTo(1, 0);
  }
});

it("several GPUs have as many times what the fullest has", () => {
  const gpus = [5e9, 3e9, 4e9].map((freeBytes, number) => ({ gpu: { name: `GPU ${number}`, freeBytes } }));
  const memory = (devices: object[]) => gpuMemory(devices as Device[]).memory;
  expect(memory(gpus)).toEqual({ free: 9e9, from: "free memory of the GPU 1, times 3 GPUs" });
  expect(memory([gpus[0]])).toEqual({ free: 5e9, from: "free memory of the GPU 0" });
});
