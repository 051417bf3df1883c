import type { MessagePort } from "node:worker_threads";
import type { CompiledCell } from "./language/engine.js";
import type { LanguageProcessData } from "./language/process_data.js";
import type { Content } from "./protocol/message.js";
import type { StreamName } from "./server/stream_batch.js";

/**
 * What the server thread (sockets and protocol) and the main thread (user code) say to each other. Requests are
 * known by the id of their message; the server alone holds headers.
 */

/** The words of the memory that both threads share. */
export const SHARED = {
  /** How many guarded scripts are on the main thread's stack: above zero SIGINT breaks them. */
  guardDepth: 0,
  /** Not zero from the moment an interrupt is asked for until it has been taken. Compiled loops read it. */
  interrupt: 1,
  /** The number of the latest interrupt. */
  interruptNumber: 2,
  /** Set to one when the answer to a synchronous prompt lies in its port. */
  promptAnswered: 3,
  /** The number of the latest interrupt that the main thread has handled. */
  interruptTaken: 4,
  /** Counts the requests to settle that the server has answered. */
  settled: 5,
  /** How many times SIGINT has been sent to break a guarded script. */
  signals: 6,
  words: 7,
} as const;

/** An error as a Jupyter client shows it. */
export interface ErrorContent {
  ename: string;
  evalue: string;
  traceback: string[];
}

/** A MIME bundle with its metadata. */
export interface Bundle {
  data: Record<string, unknown>;
  metadata: Record<string, unknown>;
}

/** How a cell ended. */
export type CellOutcome =
  | {
      status: "ok";
      result?: Bundle;
      expressions: Record<string, ExpressionOutcome>;
      /** What the front end shall show in its pager. */
      page?: Record<string, string>;
    }
  | { status: "error"; error: ErrorContent };

/** One entry of user_expressions in a reply. */
export type ExpressionOutcome = ({ status: "ok" } & Bundle) | ({ status: "error" } & ErrorContent);

/** A cell that the main thread shall run. */
export interface CellRequest {
  id: string;
  cell: CompiledCell;
  expressions: Record<string, CompiledCell | ErrorContent>;
  allowStdin: boolean;
}

export type ToMain =
  | { type: "execute"; request: CellRequest }
  | { type: "interrupt"; number: number }
  | { type: "comm"; id: string; kind: string; content: Content; metadata: Content; buffers: Uint8Array[] }
  | { type: "inputReply"; value?: string }
  | { type: "wake" }
  /** The sockets are open. */
  | { type: "opened" }
  | { type: "exit" };

export type ToServer =
  | { type: "stream"; name: StreamName; text: string; parent: string }
  | {
      type: "publish";
      messageType: string;
      content: Content;
      metadata?: Record<string, unknown>;
      buffers?: Uint8Array[];
      parent: string;
    }
  | { type: "done"; id: string; outcome: CellOutcome }
  | { type: "commDone"; id: string }
  | { type: "interruptTaken"; number: number }
  | { type: "input"; prompt: string; password: boolean; parent: string; synchronous: boolean }
  | { type: "cancelInput" }
  | { type: "languageExited" }
  /** Take in what native code has printed, and count {@link SHARED.settled} up. */
  | { type: "settle" };

/** What the server thread is started with. */
export interface ServerData {
  connectionFile: string;
  shared: Int32Array;
  /** What the language process has been started with. */
  language: LanguageProcessData;
  /** The kernel's own, for sockets; removed when it ends. */
  temporaryFolder: string;
  /** Carries answers to synchronous prompts to the main thread. */
  promptPort: MessagePort;
  /** Read ends of the pipes behind descriptors 1 and 2, when they could be put in place. */
  nativeOutput?: { stdout: number; stderr: number };
}
