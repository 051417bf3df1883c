import { join } from "node:path";
import { Command } from "commander";
import { packageRoot } from "../package_root.js";
import { runNode } from "./run_node.js";

/** `persimmon lab`: the same as `npm start`. */
export function labCommand(): Command {
  return new Command("lab")
    .description("build what is missing and open JupyterLab on the notebooks")
    .argument("[args...]", "passed on to `jupyter lab`, such as --no-browser --port 8899")
    .allowUnknownOption()
    .action(async (args: string[]) => {
      await runNode(join(packageRoot, "scripts", "bootstrap.mjs"), ["start", ...args]);
    });
}
