import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { requirements } from "../../../scripts/bootstrap/demo-model.mjs";

describe("requirements", () => {
  it("leaves comments and empty lines out", () => {
    expect(requirements("# what for\n\ntorch==2.13.0  # Muon\n  numpy\n#numba\n")).toEqual([
      "torch==2.13.0",
      "numpy",
    ]);
  });

  it("finds what the demo model is trained with", () => {
    const text = readFileSync(
      new URL("../../../scripts/demo-model/requirements.txt", import.meta.url),
      "utf8",
    );
    const names = requirements(text).map((line) => line.split("==")[0]);
    expect(names).toEqual(expect.arrayContaining(["torch", "transformers", "sentencepiece"]));
  });
});
