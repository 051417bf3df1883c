import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";
import { repositoryRoot } from "../../support/shared.js";

/** Compiles the sandbox below build/ and a script that runs four waiting programs in it. Gives the script's path. */
export function compiledSandbox(): string {
  const folder = join(repositoryRoot, "build", "test-sandbox");
  const sandbox = readdirSync(join(repositoryRoot, "src", "evals", "sandbox"))
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join("evals", "sandbox", name));
  for (const name of [
    "errors.ts",
    "host.ts",
    "package_root.ts",
    "nearest_names.ts",
    "option_checks.ts",
    "sha256.ts",
    ...sandbox,
  ]) {
    const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
    const source = readFileSync(join(repositoryRoot, "src", name), "utf8");
    const path = join(folder, name.replace(/ts$/, "js"));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, ts.transpileModule(source, { compilerOptions }).outputText);
  }
  const script = join(folder, "run_waiting_programs.js");
  writeFileSync(
    script,
    `import { Sandbox } from "./evals/sandbox/index.js";
const sandbox = await Sandbox.open();
await sandbox.runAll(Array(4).fill("import time\\ntime.sleep(60)"), { concurrency: 4 });
`,
  );
  return script;
}
