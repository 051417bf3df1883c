/** What the language process is started with. */
export interface LanguageProcessData {
  /** Path of the socket on which the kernel waits for it. */
  socket: string;
  /** The notebook's folder. */
  folder: string;
  /** The package that the kernel belongs to. */
  packageRoot: string;
}

/** The environment variable that carries it, as JSON: a startup snapshot has no arguments of its own. */
export const LANGUAGE_PROCESS_VARIABLE = "PERSIMMON_LANGUAGE_PROCESS";
