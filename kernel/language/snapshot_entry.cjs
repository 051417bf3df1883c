// @ts-check
/*
 * Makes the startup snapshot: run by `node --build-snapshot`, which takes one script (so this one is not TypeScript) and
 * lets it require nothing but Node's own modules. It loads TypeScript from its file, and the compiled modules of this
 * folder after TypeScript has turned them into CommonJS; then it compiles a few cells, which reads the standard library.
 * What the heap holds then is kept.
 */
const fs = require("node:fs");
const path = require("node:path");
const { startupSnapshot } = require("node:v8");

const root = /** @type {string} */ (process.env.PERSIMMON_PACKAGE_ROOT);
const folder = path.join(root, "dist", "kernel", "language");

/** @type {any} */
const ts = loadTypeScript();
/** @type {Map<string, any>} */
const loaded = new Map([["typescript", ts]]);
const { LibraryFiles } = load(path.join(folder, "library_files.js"));
const { CellCompiler } = load(path.join(folder, "compiler.js"));
const { serve } = load(path.join(folder, "serve.js"));

const files = new LibraryFiles();
const compiler = new CellCompiler(path.join(root, "kernel"), root, files);
compiler.compile("const numbers: number[] = [1, 2];\nfor (const n of numbers) console.log(n);", "Cell 1");
compiler.compile("await Promise.resolve(numbers.map((n) => n + 1))", "Cell 2");
startupSnapshot.setDeserializeMainFunction(() => serve(files));

/** @returns {any} */
function loadTypeScript() {
  const file = path.join(root, "node_modules", "typescript", "lib", "typescript.js");
  const module = { exports: {} };
  // A snapshot can hold neither open streams nor modules with native state.
  const quiet = new Proxy(process, {
    get: (target, name) => (name === "stdout" ? undefined : Reflect.get(target, name)),
  });
  /** @param {string} name */
  const requireSome = (name) => {
    if (["fs", "path", "os"].includes(name)) return require(name);
    throw new Error(`${name} cannot be kept in a snapshot`);
  };
  const parameters = ["module", "exports", "require", "__filename", "__dirname", "process"];
  const values = [module, module.exports, requireSome, file, path.dirname(file), quiet];
  new Function(...parameters, fs.readFileSync(file, "utf8"))(...values);
  return module.exports;
}

/**
 * @param {string} file
 * @returns {any}
 */
function load(file) {
  if (loaded.has(file)) return loaded.get(file);
  const exports = {};
  loaded.set(file, exports);
  const compilerOptions = {
    module: ts.ModuleKind.CommonJS,
    target: ts.ScriptTarget.ES2022,
    esModuleInterop: true,
  };
  const { outputText } = ts.transpileModule(fs.readFileSync(file, "utf8"), { compilerOptions });
  /** @param {string} specifier */
  const requireFrom = (specifier) => {
    if (specifier.startsWith(".")) return load(path.join(path.dirname(file), specifier));
    return loaded.get(specifier) ?? require(specifier);
  };
  new Function("exports", "require", outputText)(exports, requireFrom);
  return exports;
}
