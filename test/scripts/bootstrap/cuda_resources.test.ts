import { describe, expect, it } from "vitest";
import {
  compareTables,
  formatTable,
  parseResources,
  parseTable,
  shortName,
} from "../../../scripts/bootstrap/cuda-resources.mjs";

// As nvcc 13.0 and c++filt print it; the second kernel calls a function that was not inlined.
const log = `[1/2] Building CUDA object CMakeFiles/cuda_ops.dir/native/cuda/ops/a.cu.o
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'void persimmon::cuda::(anonymous namespace)::attendKernel<float, true>(persimmon::cuda::AttendCall)' for 'sm_90'
ptxas info    : Function properties for void persimmon::cuda::(anonymous namespace)::attendKernel<float, true>(persimmon::cuda::AttendCall)
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 80 registers, used 1 barriers, 32 bytes smem, 720 bytes cmem[0], 16 bytes cmem[2]
ptxas info    : Compile time = 437.883 ms
ptxas info    : Compiling entry function 'persimmon::cuda::(anonymous namespace)::argmaxRowsKernel(int*, unsigned long const*, long)' for 'sm_80'
ptxas info    : Function properties for persimmon::cuda::(anonymous namespace)::argmaxRowsKernel(int*, unsigned long const*, long)
    16 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Function properties for helper
    8 bytes stack frame, 4 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 21 registers, used 0 barriers, 392 bytes cmem[0]
`;
const attend = { kernel: "attendKernel<float, true>", architecture: "sm_90", registers: 80, shared: 32 };
const argmax = { kernel: "argmaxRowsKernel", architecture: "sm_80", registers: 21, shared: 0 };
const none = { stack: 0, spillStores: 0, spillLoads: 0 };
const clean = { compiler: "13.0.88", rows: [{ ...attend, ...none }] };

describe("resources of CUDA kernels", () => {
  it("are read from the compiler's output, with those of functions that a kernel calls", () => {
    expect(parseResources(log)).toEqual([
      { ...argmax, stack: 24, spillStores: 4, spillLoads: 12 },
      { ...attend, ...none },
    ]);
  });

  it("have a kernel of several files once", () => {
    expect(parseResources(log + log)).toEqual(parseResources(log));
  });

  it.each([
    ["registers before the kernel", (lines: string[]) => [lines[5], ...lines]],
    ["a stack frame before the kernel", (lines: string[]) => [lines[4], ...lines]],
    ["a kernel before another's registers", (lines: string[]) => lines.filter((_, i) => i !== 5)],
  ])("are not read from outputs that are mixed up: %s", (_, mixed) => {
    const text = mixed(log.split("\n").slice(0, 8)).join("\n");
    expect(() => parseResources(text)).toThrow(/two compilers is mixed up .* ninja/);
  });

  it.each([
    [
      "void persimmon::cuda::(anonymous namespace)::f<int, persimmon::cuda::T<float>>(int, float (*)(int))",
      "f<int, T<float>>",
    ],
    ["persimmon::cuda::g(long)", "g"],
    ["void h<(int)8>(int)", "h<(int)8>"],
  ])("name %s", (signature, name) => expect(shortName(signature)).toBe(name));

  it("are stored as a table and read back", () => {
    const table = { compiler: "13.0.88", rows: parseResources(log) };
    const text = formatTable(table);
    expect(text).toContain(
      "sm_90         80      32      0            0           0  attendKernel<float, true>\n",
    );
    expect(parseTable(text)).toEqual(table);
    expect(() => parseTable(`${text}sm_90 x y\n`)).toThrow('"sm_90 x y" is no row');
  });

  it("are wrong where a thread has local memory, whatever is stored", () => {
    const table = { compiler: "13.0.88", rows: parseResources(log) };
    expect(compareTables(table, table)).toEqual({
      wrong: [expect.stringMatching(/^local memory: .*sm_80 .* argmaxRowsKernel$/)],
      changed: [],
    });
    const other = { ...table, compiler: "12.8.1" };
    expect(compareTables(other, table).wrong).toHaveLength(1);
  });

  it("are wrong where they differ from the stored ones, unless by another compiler", () => {
    const found = { ...clean, rows: [{ ...clean.rows[0], registers: 81 }] };
    const lines = [expect.stringMatching(/^stored: .* 80 /), expect.stringMatching(/^now: .* 81 /)];
    expect(compareTables(clean, found)).toEqual({ wrong: lines, changed: [] });
    expect(compareTables({ ...clean, compiler: "12.8.1" }, found)).toEqual({ wrong: [], changed: lines });
    expect(compareTables(clean, clean)).toEqual({ wrong: [], changed: [] });
  });

  it("are wrong where a kernel is new or gone", () => {
    const empty = { compiler: "12.8.1", rows: [] };
    expect(compareTables(empty, clean).wrong).toEqual([expect.stringMatching(/^not stored: /)]);
    expect(compareTables(clean, empty).wrong).toEqual([expect.stringMatching(/^gone: /)]);
  });
});
