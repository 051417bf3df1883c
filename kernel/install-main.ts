import { parseArgs } from "node:util";
import { type Installation, InstallError, installKernel, uninstallKernel } from "./install.js";

/*
 * `node install-main.js install|uninstall [--user | --prefix DIR] [--display-name NAME] [--json]`: what the command
 * `persimmon kernel install` runs as a process of its own, because the library and the kernel do not import each other.
 * Exit status 0, or 1 after one message on stderr (with --json: `{"error": {"code", "message"}}` on stdout).
 */
const USAGE =
  "Usage: install-main.js install|uninstall [--user | --prefix DIR] [--display-name NAME] [--json]";
const json = process.argv.includes("--json");

try {
  const { values, positionals } = parse();
  const [action, ...rest] = positionals;
  if ((action !== "install" && action !== "uninstall") || rest.length > 0) {
    throw new InstallError(
      "BAD_OPTIONS",
      `Expected install or uninstall, found "${positionals.join(" ")}". ${USAGE}`,
    );
  }
  const options = { user: values.user, prefix: values.prefix, displayName: values["display-name"] };
  if (action === "install") {
    const places = await installKernel(options);
    report(places, places, () => "Installed");
  } else {
    const { removed, ...places } = await uninstallKernel(options);
    report(places, { ...places, removed }, (folder) =>
      removed.includes(folder) ? "Removed" : "Did not find",
    );
  }
} catch (error) {
  const code = error instanceof InstallError ? error.code : "INSTALL_FAILED";
  const message = error instanceof Error ? error.message : String(error);
  if (json) console.log(JSON.stringify({ error: { code, message } }));
  else console.error(`error [${code}] ${message}`);
  process.exitCode = 1;
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        user: { type: "boolean" },
        prefix: { type: "string" },
        "display-name": { type: "string" },
        json: { type: "boolean" },
      },
    });
  } catch (cause) {
    throw new InstallError("BAD_OPTIONS", `${(cause as Error).message}. ${USAGE}`, { cause });
  }
}

/** @param done what was done with a folder, as the beginning of a sentence */
function report(places: Installation, asJson: object, done: (folder: string) => string): void {
  if (json) {
    console.log(JSON.stringify(asJson));
    return;
  }
  const { kernelspecDir, labextensionDir } = places;
  console.log(`${done(kernelspecDir)} the kernel     ${kernelspecDir}`);
  console.log(`${done(labextensionDir)} the renderer   ${labextensionDir}`);
}
