/** Packages that bring a tool, for each package manager that the messages name. */
const PACKAGES = /** @type {const} */ ({
  cmake: { apt: "cmake", dnf: "cmake", brew: "cmake" },
  compiler: { apt: "build-essential", dnf: "gcc-c++ make", brew: undefined },
  python: { apt: "python3 python3-venv", dnf: "python3", brew: "python3" },
  venv: { apt: "python3-venv", dnf: "python3", brew: "python3" },
});

const DESCRIPTIONS = {
  cmake: "CMake 3.15 or newer",
  compiler: "a C++20 compiler and make",
  python: "Python 3.9 or newer",
  venv: "Python's venv module",
};

/** @typedef {keyof typeof PACKAGES} Tool */

/** A failure that the user can mend: shown as its message alone, without a stack. */
export class BootstrapError extends Error {
  /**
   * @param {string} message
   * @param {string} [output] the last lines that the failed command printed
   */
  constructor(message, output) {
    super(message);
    this.name = "BootstrapError";
    this.output = output;
  }
}

/**
 * Names a missing tool, what it is needed for, and the command that installs it.
 * @param {Tool} tool
 * @param {string} purpose such as "to build the native addon"
 * @returns {string}
 */
export function missingToolMessage(tool, purpose) {
  const packages = PACKAGES[tool];
  return [
    `Needed ${purpose}, and not found: ${DESCRIPTIONS[tool]}. Install it with one of:`,
    `  Debian, Ubuntu:  sudo apt-get install ${packages.apt}`,
    `  Fedora, RHEL:    sudo dnf install ${packages.dnf}`,
    `  macOS:           ${packages.brew === undefined ? "xcode-select --install" : `brew install ${packages.brew}`}`,
    "and run the same command again.",
  ].join("\n");
}
