import type { ErrorContent } from "../threads.js";

/**
 * The small interface at which the protocol and the language meet. The protocol knows nothing of TypeScript, the
 * language nothing of ZeroMQ; each can be tested against a stand-in for the other. Positions in `code` are offsets in
 * Unicode code points, as the protocol counts.
 */
export interface LanguageEngine {
  compile(code: string, label: string): Promise<CompileResult>;
  /** Compiles one expression for its value (user_expressions); declares nothing. */
  compileExpression(code: string): Promise<CompileResult>;
  complete(code: string, position: number): Promise<Completion>;
  inspect(code: string, position: number, detail: number): Promise<Inspection>;
  isComplete(code: string): Promise<Completeness>;
}

export type CompileResult = { ok: true; cell: CompiledCell } | { ok: false; error: ErrorContent };

/** A piece of text that the compiler put into the user's source; it never adds a line. */
export interface Insertion {
  /** Offset in the user's source, in UTF-16 units. */
  offset: number;
  text: string;
}

/** A cell ready to run. */
export interface CompiledCell {
  /** Name of the script, unique for each run. */
  file: string;
  /** What a traceback calls the cell, such as `Cell 4`. */
  label: string;
  /** The body of an async function `(exports, require, __filename, __dirname, __k)`. */
  code: string;
  /** Source map (JSON) from `code` to the source with its insertions. */
  map: string;
  source: string;
  insertions: Insertion[];
  /** The modules that it asks for. */
  imports: ImportRequest[];
  /** Local TypeScript files, directly or indirectly imported, dependencies first. */
  localModules: LocalModule[];
  /** What the reader should know although the cell compiled, such as a mistake in tsconfig.json. */
  warnings: string[];
}

/** A module that code asks for. */
export interface ImportRequest {
  specifier: string;
  /** The file, when it is local TypeScript. */
  localFile?: string;
  /** The file, when it is another one that a path alias of tsconfig.json stands for. */
  file?: string;
  /** How it is asked for: a declaration is loaded before the code runs, the others when the code gets there. */
  kind: "declaration" | "import" | "require";
  /** Where the specifier stands in the text that was compiled. */
  offset: number;
}

/** A local TypeScript file, compiled. */
export interface LocalModule {
  file: string;
  /** Changes when the file or one of its local dependencies changes. */
  version: string;
  code: string;
  map: string;
  source: string;
  imports: ImportRequest[];
}

export interface Completion {
  matches: string[];
  cursor_start: number;
  cursor_end: number;
  metadata: Record<string, unknown>;
}

export type Inspection = { found: false } | { found: true; data: Record<string, string> };

export type Completeness =
  | { status: "complete" | "invalid" | "unknown" }
  | { status: "incomplete"; indent: string };
