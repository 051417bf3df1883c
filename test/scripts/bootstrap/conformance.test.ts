import { delimiter } from "node:path";
import { describe, expect, it } from "vitest";
import { pythonCandidates } from "../../../scripts/bootstrap/conformance.mjs";
import { pythonPath } from "../../../scripts/bootstrap/official-suite.mjs";

describe("pythonCandidates", () => {
  const find = (name: string) => (name === "python3" ? "/usr/bin/python3" : undefined);

  it("begins with the Python of the program's first line", () => {
    const candidates = pythonCandidates(
      "/home/me/.local/bin/jupyter",
      "#!/opt/py/bin/python3.12\nimport x\n",
    );
    expect(candidates).toEqual([
      "/opt/py/bin/python3.12",
      "/home/me/.local/bin/python",
      "/home/me/.local/bin/python3",
    ]);
  });

  it("looks up what env would find", () => {
    const [first] = pythonCandidates("/x/jupyter", "#!/usr/bin/env python3\n", find);
    expect(first).toBe("/usr/bin/python3");
  });

  it("takes the Pythons next to a program that a shell runs", () => {
    for (const line of ["#!/usr/bin/env bash\n", "#!/bin/sh\n", ""]) {
      expect(pythonCandidates("/shims/jupyter", line, find)).toEqual(["/shims/python", "/shims/python3"]);
    }
  });

  it("reads a first line with a flag", () => {
    expect(pythonCandidates("/x/jupyter", "#! /usr/bin/python3 -s\n")[0]).toBe("/usr/bin/python3");
  });
});

describe("pythonPath", () => {
  it("comes before the folders that the user has named", () => {
    expect(pythonPath("/a", undefined)).toEqual({ PYTHONPATH: "/a" });
    expect(pythonPath("/a", "")).toEqual({ PYTHONPATH: "/a" });
    expect(pythonPath("/a", "/b")).toEqual({ PYTHONPATH: `/a${delimiter}/b` });
  });
});
