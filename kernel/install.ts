import { existsSync, lstatSync } from "node:fs";
import { copyFile, cp, mkdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { userDataDirectory } from "./data_directory.js";
import { RENDERER_NAME } from "./display/figure_html.js";
import { KERNEL_NAME, kernelspec } from "./kernelspec.js";
import { makeSnapshot, snapshotFile } from "./language/snapshot.js";
import { packageRoot } from "./package_root.js";

/** Where to install: for the user (the default), or under a prefix such as that of a Python environment. */
export interface InstallOptions {
  user?: boolean;
  /** Installs into `PREFIX/share/jupyter`. */
  prefix?: string;
  displayName?: string;
}

/** Where the two parts lie. */
export interface Installation {
  kernelspecDir: string;
  labextensionDir: string;
}

/** Installation failed for a reason that the user can mend. */
export class InstallError extends Error {
  constructor(
    readonly code: string,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.name = "InstallError";
  }
}

/**
 * Installs the kernel and the renderer of figures. No Python is needed; what was installed there before is replaced.
 * @throws InstallError when the options contradict each other, the kernel is not built or the folder cannot be written
 */
export async function installKernel(options: InstallOptions = {}): Promise<Installation> {
  const places = installationPlaces(options);
  const root = packageRoot();
  const main = join(root, "dist", "kernel", "main.js");
  if (!existsSync(main)) {
    throw new InstallError(
      "KERNEL_NOT_BUILT",
      `Expected the compiled kernel at ${main}, found none. Run npm run build.`,
    );
  }
  try {
    await installKernelspec(places.kernelspecDir, root, main, options.displayName);
    await installRenderer(places.labextensionDir, root);
  } catch (cause) {
    throw new InstallError(
      "INSTALL_FAILED",
      `Could not write to ${places.kernelspecDir} and ${places.labextensionDir}: ${(cause as Error).message}. ` +
        "Choose another folder with --prefix DIR, or --user.",
      { cause },
    );
  }
  // Without it the kernel works all the same, and makes one when it first runs; so a failure is no error.
  if (!snapshotFile(root)) await makeSnapshot(root);
  return places;
}

/** Removes what {@link installKernel} wrote; what is not there is no error. */
export async function uninstallKernel(
  options: InstallOptions = {},
): Promise<Installation & { removed: string[] }> {
  const places = installationPlaces(options);
  const removed = [places.kernelspecDir, places.labextensionDir].filter(
    (folder) => lstatSync(folder, { throwIfNoEntry: false }) !== undefined,
  );
  for (const folder of removed) await rm(folder, { recursive: true, force: true });
  return { ...places, removed };
}

/** The folders that an installation with these options uses. */
export function installationPlaces({ user, prefix }: InstallOptions): Installation {
  if (user && prefix !== undefined) {
    throw new InstallError("BAD_OPTIONS", "Expected --user or --prefix DIR, found both. Give one of them.");
  }
  if (prefix === "")
    throw new InstallError("BAD_OPTIONS", "Expected a folder after --prefix, found an empty text.");
  const data = prefix === undefined ? userDataDirectory() : join(resolve(prefix), "share", "jupyter");
  return {
    kernelspecDir: join(data, "kernels", KERNEL_NAME),
    labextensionDir: join(data, "labextensions", RENDERER_NAME),
  };
}

async function installKernelspec(
  directory: string,
  root: string,
  main: string,
  displayName?: string,
): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const spec = kernelspec(process.execPath, main, displayName);
  await writeFile(join(directory, "kernel.json"), `${JSON.stringify(spec, null, 2)}\n`);
  for (const logo of ["logo-32x32.png", "logo-64x64.png", "logo-svg.svg"]) {
    await copyFile(join(root, "kernel", "logos", logo), join(directory, logo));
  }
}

async function installRenderer(directory: string, root: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await cp(join(root, "kernel", "labextension"), directory, { recursive: true });
  const plotly = createRequire(join(root, "package.json")).resolve("plotly.js-dist-min/plotly.min.js");
  await copyFile(plotly, join(directory, "static", "plotly.min.js"));
}
