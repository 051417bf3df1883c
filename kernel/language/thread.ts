import { type MessagePort, workerData } from "node:worker_threads";
import { CellCompiler } from "./compiler.js";
import { isComplete } from "./completeness.js";
import { complete } from "./completion.js";
import { inspect } from "./inspection.js";

/** Entry of the language thread: answers the requests of {@link RemoteLanguage} with one compiler. */
const { folder, packageRoot, port } = workerData as {
  folder: string;
  packageRoot: string;
  port: MessagePort;
};
const compiler = new CellCompiler(folder, packageRoot);

const methods: Record<string, (...parameters: never[]) => unknown> = {
  compile: (code: string, label: string) => compiler.compile(code, label),
  compileExpression: (code: string) => compiler.compileExpression(code),
  complete: (code: string, position: number) => complete(compiler, code, position),
  inspect: (code: string, position: number, detail: number) => inspect(compiler, code, position, detail),
  isComplete: (code: string) => isComplete(code),
};

port.on("message", ({ id, method, parameters }: { id: number; method: string; parameters: never[] }) => {
  try {
    port.postMessage({ id, value: methods[method]!(...parameters) });
  } catch (error) {
    port.postMessage({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});

// The first program reads the libraries and @types/node, about 0.3 s; done now, the first cell need not wait for it.
compiler.workspace.service.getSemanticDiagnostics(compiler.workspace.pathOf("__cell__"));
