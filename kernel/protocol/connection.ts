import { readFileSync } from "node:fs";

/** The connection file that Jupyter writes for a kernel. */
export interface ConnectionInfo {
  transport: "tcp" | "ipc";
  ip: string;
  shell_port: number;
  iopub_port: number;
  stdin_port: number;
  control_port: number;
  hb_port: number;
  key: string;
  signature_scheme: string;
}

/**
 * Reads and checks a connection file.
 * @throws Error when the file is missing, is not JSON or lacks a port
 */
export function readConnectionFile(path: string): ConnectionInfo {
  let info: Partial<ConnectionInfo>;
  try {
    info = JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new Error(`Expected a Jupyter connection file (JSON) at ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
  for (const name of ["shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"] as const) {
    if (typeof info[name] !== "number") {
      throw new Error(
        `Expected a number for ${name} in the connection file ${path}, found ${String(info[name])}`,
      );
    }
  }
  return {
    transport: "tcp",
    ip: "127.0.0.1",
    key: "",
    signature_scheme: "hmac-sha256",
    ...info,
  } as ConnectionInfo;
}

/** The ZeroMQ address of one port; with ipc a port is a suffix of the socket's path. */
export function addressOf(info: ConnectionInfo, port: number): string {
  return info.transport === "ipc" ? `ipc://${info.ip}-${port}` : `tcp://${info.ip}:${port}`;
}
