import { spawn } from "node:child_process";
import { existsSync } from "node:fs";

const TIME = "/usr/bin/time";
// Where there is no GNU time, the program says its own peak as the last line of stderr; both are getrusage's.
const PRELOAD = `data:text/javascript,process.on("exit",()=>process.stderr.write("Maximum resident set size (kbytes): "+process.resourceUsage().maxRSS))`;

/**
 * Runs a Node program and measures it, with `/usr/bin/time -v` where that is.
 *
 * @param {string[]} args
 * @returns {Promise<{ out: string, seconds: number, peakBytes: number }>}
 */
export async function measured(args) {
  const command = existsSync(TIME)
    ? [TIME, "-v", process.execPath, ...args]
    : [process.execPath, "--import", PRELOAD, ...args];
  const started = performance.now();
  const child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (part) => {
    out += part;
  });
  child.stderr.setEncoding("utf8").on("data", (part) => {
    err += part;
  });
  const end = () => child.kill();
  process.once("exit", end);
  const code = await new Promise((resolve) => child.on("close", resolve));
  process.off("exit", end);
  const peak = /Maximum resident set size \(kbytes\): (\d+)/.exec(err)?.[1];
  if (code !== 0 || peak === undefined) throw new Error(`${args.join(" ")}: exit code ${code}\n${out}${err}`);
  return { out, seconds: (performance.now() - started) / 1000, peakBytes: 1024 * Number(peak) };
}
