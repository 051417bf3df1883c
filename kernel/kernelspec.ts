/** The name under which Jupyter knows the kernel. */
export const KERNEL_NAME = "persimmon";
/** What Jupyter's launcher shows. */
export const DISPLAY_NAME = "TypeScript (Persimmon)";

/**
 * The content of kernel.json. Paths are absolute: Jupyter's server often runs with another PATH than the shell in which
 * the kernel was installed.
 *
 * @param node the node binary
 * @param main the compiled main.js of the kernel
 */
export function kernelspec(node: string, main: string, displayName = DISPLAY_NAME): Record<string, unknown> {
  return {
    // Without the switch Node 20 aborts when code that uses async hooks is interrupted between two awaits.
    argv: [node, "--no-force-async-hooks-checks", main, "{connection_file}"],
    display_name: displayName,
    language: "typescript",
    interrupt_mode: "message",
    metadata: { debugger: false },
    env: {},
  };
}
