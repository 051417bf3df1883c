import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { addModelOptions, loadOptions } from "../../src/cli/options.js";

describe("options of commands that load a model", () => {
  const parsed = (...args: string[]) =>
    loadOptions(addModelOptions(new Command().exitOverride()).parse(args, { from: "user" }).opts());

  it("are those of loadModel", () => {
    const args = "--device cuda --dtype int8 --threads 3 --matmul-precision medium --tensor-parallel 2";
    const more =
      "--max-length 4096 --kv-dtype int8 --predict-zeros zeros.json --rope adept --no-memory-check";
    expect(parsed(...args.split(" "), ...more.split(" "))).toEqual({
      device: "cuda",
      dtype: "int8",
      threads: 3,
      matmulPrecision: "medium",
      tensorParallel: 2,
      maxLength: 4096,
      kvDtype: "int8",
      predictZeros: "zeros.json",
      rope: "adept",
      memoryCheck: false,
    });
  });

  it("are left to loadModel where none is given", () => {
    expect(Object.entries(parsed()).filter(([, value]) => value !== undefined)).toEqual([
      ["memoryCheck", true],
    ]);
  });

  it("split a model over a number of ranks: processes run scripts", () => {
    const command = addModelOptions(new Command().exitOverride().configureOutput({ writeErr: () => {} }));
    expect(() => command.parse(["--tensor-parallel", "mpi"], { from: "user" })).toThrow(
      "argument 'mpi' is invalid. It is not a number",
    );
  });
});
