import { readdirSync, readFileSync } from "node:fs";

/** A process, told apart from a later one of the same number by the time of its start. */
export interface ProcessEntry {
  pid: number;
  parent: number;
  state: string;
  started: string;
}

/** The process as the kernel lists it, a zombie too; undefined when there is none. Linux only. */
export function processEntry(pid: number): ProcessEntry | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { pid, state: fields[0], parent: Number(fields[1]), started: fields[19] };
}

/** All processes below this one, however deep; none where there is no /proc (macOS). */
export function descendants(root = process.pid): ProcessEntry[] {
  if (process.platform !== "linux") return [];
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => processEntry(Number(name)))
    .filter((entry) => entry !== undefined);
  const below = (parent: number): ProcessEntry[] =>
    all.filter((entry) => entry.parent === parent).flatMap((entry) => [entry, ...below(entry.pid)]);
  return below(root);
}

/** Those that still have an entry, be it as a zombie. */
export function stillListed(entries: readonly ProcessEntry[]): ProcessEntry[] {
  return entries
    .map(({ pid, started }) => ({ started, now: processEntry(pid) }))
    .filter(({ started, now }) => now?.started === started)
    .map(({ now }) => now!);
}

/** Waits until at least `count` processes run below `root`, zombies not counted, and gives them. */
export async function waitForDescendants(count: number, root = process.pid): Promise<ProcessEntry[]> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const found = descendants(root).filter(({ state }) => state !== "Z");
    if (found.length >= count) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`there are ${descendants(root).length} processes, not ${count}`);
}

/** Waits until none of the processes runs any more; a zombie does not run. Gives those that do after `seconds`. */
export async function survivors(entries: readonly ProcessEntry[], seconds = 5): Promise<ProcessEntry[]> {
  const running = () => stillListed(entries).filter(({ state }) => state !== "Z" && state !== "X");
  for (let waited = 0; waited < seconds * 1000 && running().length > 0; waited += 20) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return running();
}
