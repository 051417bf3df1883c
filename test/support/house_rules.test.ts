import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { repositoryRoot } from "./shared.js";

/** Files of these folders, relative to the repository and with slashes; what a build or a test run makes is left out. */
function files(folders: string[], accept: RegExp): string[] {
  const skipped = new Set(["node_modules", "dist", "build", "__pycache__", ".venv"]);
  const walk = (folder: string): string[] =>
    readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !skipped.has(entry.name))
      .flatMap((entry) => {
        const path = join(folder, entry.name);
        return entry.isDirectory() ? walk(path) : [path];
      });
  return folders
    .map((folder) => join(repositoryRoot, folder))
    .filter((folder) => existsSync(folder))
    .flatMap(walk)
    .map((path) => relative(repositoryRoot, path))
    .filter((path) => accept.test(path));
}

const read = (path: string) => readFileSync(join(repositoryRoot, path), "utf8");

/** Every relative import of a file, resolved to a path below the repository; types count too. */
function imports(path: string): string[] {
  return [...read(path).matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map(([, target]) =>
    relative(repositoryRoot, join(repositoryRoot, dirname(path), target)),
  );
}

/** The folder below src/, or the file for those that lie directly in it. */
function area(path: string): string {
  return path.split("/")[1].replace(/\.[jt]s$/, "");
}

/**
 * What each folder of src/ may import besides itself, errors.ts, host.ts and option_checks.ts. Each list is complete: who adds a direction says so
 * here.
 */
const LAYERS: Record<string, string[]> = {
  native: ["package_root", "native_gpu", "native_parallel", "native_sampling"],
  native_gpu: [],
  native_parallel: ["native"],
  native_sampling: ["native"],
  checkpoint: ["model/config", "process_lock", "write_whole"],
  tokenizer: [],
  tensor: ["native"],
  nn: ["tensor"],
  model: ["nn", "tensor"],
  runtime: ["model", "nn", "tensor", "native", "checkpoint", "nearest_names"],
  parallel: ["runtime", "model", "nn", "tensor", "native", "checkpoint"],
  generation: ["runtime", "model", "tensor"],
  display: ["nn", "tensor"],
  evals: [
    "generation",
    "parallel",
    "runtime",
    "model",
    "nn",
    "tensor",
    "tokenizer",
    "checkpoint",
    "display",
    "research",
    "language_model",
    "load_model",
    "package_root",
    "process_lock",
    "sha256",
    "token_logprobs",
    "write_whole",
  ],
  serve: ["generation", "runtime", "tensor", "tokenizer", "language_model"],
  research: ["generation", "runtime", "model", "nn", "tensor", "display", "host", "language_model", "sha256"],
};

describe("imports run one way", () => {
  const sources = files(["src"], /\.ts$/);

  it("there are sources", () => expect(sources.length).toBeGreaterThan(20));

  it.each(Object.entries(LAYERS))("src/%s", (name, allowed) => {
    const wrong = sources
      .filter((path) => area(path) === name)
      .flatMap((path) => imports(path).map((target) => ({ path, target })))
      .filter(({ target }) => ![name, "errors", "host", "option_checks"].includes(area(target)))
      .filter(({ target }) => !allowed.some((prefix) => target.startsWith(`src/${prefix}`)));
    expect(wrong).toEqual([]);
  });

  it("nothing but the command line imports the command line", () => {
    const wrong = sources.filter(
      (path) => area(path) !== "cli" && imports(path).some((target) => area(target) === "cli"),
    );
    expect(wrong).toEqual([]);
  });

  it("only native.ts loads the addon", () => {
    const wrong = sources.filter((path) => path !== "src/native.ts" && read(path).includes("persimmon.node"));
    expect(wrong).toEqual([]);
  });

  it("src/ and kernel/ do not import each other", () => {
    const wrong = [...sources, ...files(["kernel"], /\.ts$/)].flatMap((path) =>
      imports(path)
        .filter((target) => target.split("/")[0] !== path.split("/")[0])
        .map((target) => `${path} → ${target}`),
    );
    expect(wrong).toEqual([]);
  });
});

describe("files", () => {
  const written = files(
    ["src", "kernel", "native", "scripts", "bench", "test", "docs", ".ci"],
    /\.(ts|mjs|js|cjs|py|cc|cpp|h|cu|cuh|md|sh|json)$|\.ci\/run$/,
  ).filter((path) => !/(^|\/)(fixtures|snapshots|__snapshots__)\//.test(path));
  const code = written.filter((path) => !/\.(json|md)$/.test(path));

  it("none is longer than 500 lines", () => {
    const long = code
      .map((path) => ({ path, lines: read(path).split("\n").length - 1 }))
      .filter(({ lines }) => lines > 500);
    expect(long).toEqual([]);
  });

  it("one idea each: the median is at most 150 lines", () => {
    const lengths = code.map((path) => read(path).split("\n").length).sort((a, b) => a - b);
    expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThanOrEqual(150);
  });

  it("no package registry's host and no path of one machine", () => {
    // In two parts each, so that this file does not find itself.
    const forbidden = [
      "registry." + "npmjs",
      "registry." + "yarnpkg",
      "pypi." + "org",
      "/wo" + "rk/",
      "deb.debian." + "org",
    ];
    const wrong = [...written, "package.json", "package-lock.json", "README.md", "CMakeLists.txt"]
      .filter((path) => existsSync(join(repositoryRoot, path)))
      .flatMap((path) => {
        const text = read(path);
        return forbidden.filter((word) => text.includes(word)).map((word) => `${path}: ${word}`);
      });
    expect(wrong).toEqual([]);
  });
});
