import { join } from "node:path";
import { Command } from "commander";
import { packageRoot } from "../package_root.js";
import { runNode } from "./run_node.js";

interface KernelOptions {
  user?: boolean;
  prefix?: string;
  json?: boolean;
}

/** `persimmon kernel install` and `persimmon kernel uninstall`: the kernel's own installer, with the same options. */
export function kernelCommand(): Command {
  const kernel = new Command("kernel").description("install or uninstall the Jupyter kernel");
  kernel.addCommand(installerCommand("install", "write the kernelspec and the renderer extension"));
  kernel.addCommand(installerCommand("uninstall", "remove what install wrote"));
  return kernel;
}

function installerCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option("--user", "in your own Jupyter folder (the default)")
    .option("--prefix <dir>", "below this folder, in share/jupyter")
    .option("--json", "print what was done as JSON")
    .action(async (options: KernelOptions) => {
      await runNode(join(packageRoot, "dist", "kernel", "install-main.js"), [
        name,
        ...installerArguments(options),
      ]);
    });
}

/** The options as the installer's command line takes them. */
export function installerArguments({ user, prefix, json }: KernelOptions): string[] {
  return [
    ...(user ? ["--user"] : []),
    ...(prefix === undefined ? [] : ["--prefix", prefix]),
    ...(json ? ["--json"] : []),
  ];
}
