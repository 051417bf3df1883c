import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { listFiles, whyStale, writeStamp } from "../../../scripts/bootstrap/staleness.mjs";
import { orphanedOutputs } from "../../../scripts/bootstrap/typescript.mjs";

const NOON = new Date("2024-01-01T12:00:00Z");
const LATER = new Date("2024-01-01T12:00:01Z");

describe("whyStale", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "staleness-"));
    mkdirSync(join(folder, "native", "core"), { recursive: true });
    for (const name of ["native/a.cc", "native/core/b.h"]) {
      writeFileSync(join(folder, name), "");
      utimesSync(join(folder, name), NOON, NOON);
    }
    writeFileSync(join(folder, "out"), "");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const build = () => ({
    files: listFiles([join(folder, "native")]),
    base: folder,
    stamp: join(folder, "stamp"),
    outputs: [join(folder, "out")],
  });

  it("nothing to do after a build", () => {
    writeStamp(build(), NOON);
    expect(whyStale(build())).toBeUndefined();
  });

  it("an interrupted build left no stamp", () => {
    expect(whyStale(build())).toBe("never finished");
  });

  it("the output was deleted", () => {
    writeStamp(build(), NOON);
    rmSync(join(folder, "out"));
    expect(whyStale(build())).toBe("no output");
  });

  it("a file was saved while the build ran", () => {
    writeStamp(build(), NOON);
    utimesSync(join(folder, "native/core/b.h"), LATER, LATER);
    expect(whyStale(build())).toBe("native/core/b.h is newer");
  });

  it("a file was added with an old date, or removed", () => {
    writeStamp(build(), LATER);
    writeFileSync(join(folder, "native/c.cc"), "");
    utimesSync(join(folder, "native/c.cc"), NOON, NOON);
    expect(whyStale(build())).toBe("files added or removed");
    rmSync(join(folder, "native/c.cc"));
    expect(whyStale(build())).toBeUndefined();
    rmSync(join(folder, "native/a.cc"));
    expect(whyStale(build())).toBe("files added or removed");
  });
});

describe("orphanedOutputs", () => {
  it("finds the outputs of sources that are gone, and nothing else", () => {
    const outputs = [
      "src/a.js",
      "src/a.d.ts",
      "src/b.js",
      "src/b.js.map",
      "src/b.d.ts.map",
      ".compiled",
      "x.png",
    ];
    expect(orphanedOutputs(outputs, (source) => source === "src/a.ts")).toEqual([
      "src/b.js",
      "src/b.js.map",
      "src/b.d.ts.map",
    ]);
  });
});
