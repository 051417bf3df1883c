import type { Socket } from "node:net";
import { dirname } from "node:path";
import { CrashWatch, type CrashWatchData } from "../crash/watch.js";
import type { Header } from "../protocol/message.js";
import { CellCompiler } from "./compiler.js";
import { isComplete } from "./completeness.js";
import { complete } from "./completion.js";
import { IdleCollection } from "./idle_collection.js";
import { inspect } from "./inspection.js";
import { JsonConnection } from "./json_connection.js";
import type { LibraryFiles } from "./library_files.js";
import { LANGUAGE_PROCESS_VARIABLE, type LanguageProcessData } from "./process_data.js";

// The kernel listens a few milliseconds after it has started this process, or else it has died.
const RETRY_MS = 3;
const GIVE_UP_MS = 20_000;

/** Answers the requests of {@link RemoteLanguage} with one compiler, until the kernel hangs up. */
export function serve(files: LibraryFiles): void {
  const variable = process.env[LANGUAGE_PROCESS_VARIABLE];
  if (!variable) {
    process.stderr.write(`The kernel starts this process, with ${LANGUAGE_PROCESS_VARIABLE} set.\n`);
    process.exitCode = 2;
    return;
  }
  const { socket, folder, packageRoot } = JSON.parse(variable) as LanguageProcessData;
  connect(socket, Date.now() + GIVE_UP_MS, (stream) => {
    const watch = new CrashWatch();
    const idle = new IdleCollection();
    stream.on("close", () => {
      watch.kernelGone();
      process.getBuiltinModule("node:fs").rmSync(dirname(socket), { recursive: true, force: true });
      setImmediate(() => process.exit(0));
    });
    stream.on("error", () => {}); // "close" follows
    const methods = methodsOf(new CellCompiler(folder, packageRoot, files), watch);
    const connection = new JsonConnection(stream, ({ id, method, parameters }: Request) => {
      try {
        const value = methods[method]!(...parameters);
        if (id !== undefined) connection.send({ id, value });
        idle.worked();
      } catch (error) {
        connection.send({
          id,
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        });
      }
    });
  });
}

interface Request {
  /** Undefined when no answer is wanted. */
  id?: number;
  method: string;
  parameters: never[];
}

function methodsOf(
  compiler: CellCompiler,
  watch: CrashWatch,
): Record<string, (...parameters: never[]) => unknown> {
  return {
    compile: (code: string, label: string) => compiler.compile(code, label),
    compileExpression: (code: string) => compiler.compileExpression(code),
    complete: (code: string, position: number) => complete(compiler, code, position),
    inspect: (code: string, position: number, detail: number) => inspect(compiler, code, position, detail),
    isComplete: (code: string) => isComplete(code),
    watch: (data: CrashWatchData) => watch.watch(data),
    running: (header: Header | null) => watch.running(header),
    printed: (text: string) => watch.printed(text),
    ending: () => watch.ending(),
    replay: (cells: { code: string; label: string }[], count: number) => compiler.replay(cells, count),
  };
}

function connect(path: string, deadline: number, connected: (stream: Socket) => void): void {
  // Not imported: a startup snapshot cannot hold this module.
  const stream = process.getBuiltinModule("node:net").connect(path);
  stream.once("connect", () => {
    stream.removeAllListeners("error");
    connected(stream);
  });
  stream.once("error", () => {
    if (Date.now() < deadline) setTimeout(() => connect(path, deadline, connected), RETRY_MS);
    else process.exit(1);
  });
}
