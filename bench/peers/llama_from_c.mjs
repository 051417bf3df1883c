// Builds llama_decode.cpp against the headers of the release that node-llama-cpp brings along, linked with its libraries.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { startLineProcess } from "./line_process.mjs";

const modules = join(import.meta.dirname, "node_modules");
const build = join(modules, ".llama-from-c"); // where neither git nor other tools look
const libraries = join(modules, "@node-llama-cpp", "linux-x64", "bins", "linux-x64");

function library(name) {
  const found = readdirSync(libraries).find((file) => file.startsWith(`${name}.`) && file.includes(".so"));
  if (found === undefined) throw new Error(`node-llama-cpp has no ${name} for this machine in ${libraries}`);
  return `-l:${found}`;
}

function buildProgram() {
  const program = join(build, "llama_decode");
  if (existsSync(program)) return program;
  mkdirSync(build, { recursive: true });
  const source = join(build, "llama.cpp");
  const bundle = join(modules, "node-llama-cpp", "llama", "gitRelease.bundle");
  if (!existsSync(source)) execFileSync("git", ["clone", "--quiet", bundle, source], { stdio: "ignore" });
  execFileSync(
    "g++",
    [
      "-O2",
      "-std=c++17",
      join(import.meta.dirname, "llama_decode.cpp"),
      ...["include", "ggml/include"].map((folder) => `-I${join(source, folder)}`),
      `-L${libraries}`,
      ...["libllama", "libggml", "libggml-base"].map(library),
      `-Wl,-rpath,${libraries}`,
      "-o",
      program,
    ],
    { stdio: "inherit" },
  );
  return program;
}

/** llama.cpp without Node, with a model: `measure` gives the seconds of a prompt and of tokens after it. */
export function startLlamaFromC(path, threads) {
  return startLineProcess(buildProgram(), [libraries, path, String(threads)]);
}
