import { checkOptionNames, PersimmonError } from "../../errors.js";
import { optionChecks } from "../../option_checks.js";

/** A Jupyter server that runs a part of an evaluation. */
export interface EvalServer {
  /**
   * Where it is, such as "http://127.0.0.1:8888/". The address that `jupyter lab` prints will do: "/lab" or "/tree" at its end
   * is left out, and its `?token=…` is taken as `token`.
   */
  url: string;
  /** Default: none, for a server without authentication. */
  token?: string;
  /** Kernels that are started there, each with a model of its own; 1. */
  kernels?: number;
  /** Name of this library's kernel there; "persimmon". */
  kernelName?: string;
}

export interface CheckedServer {
  /** Ends in "/"; without a token. */
  url: string;
  token: string;
  kernels: number;
  kernelName: string;
}

const mostKernels = 1024;

/** Checks and fills in. Throws `EVAL_SERVER_INVALID`, `OPTION_UNKNOWN`. */
export function checkServers(servers: readonly EvalServer[]): CheckedServer[] {
  if (!Array.isArray(servers) || servers.length === 0) {
    throw invalid(
      `expected a list such as [{ url: "http://127.0.0.1:8888/", token: "…" }], got ${show(servers)}`,
    );
  }
  const checked = servers.map((server, index) => checkServer(server, `servers[${index}]`));
  const seen = new Set<string>();
  for (const { url } of checked) {
    if (seen.has(url)) throw invalid(`${url} is there twice: ask for more kernels of it instead`);
    seen.add(url);
  }
  return checked;
}

function checkServer(server: EvalServer, place: string): CheckedServer {
  if (typeof server !== "object" || server === null) {
    throw invalid(
      `${place} must be an object such as { url: "http://127.0.0.1:8888/" }, got ${show(server)}`,
    );
  }
  checkOptionNames(place, server, ["url", "token", "kernels", "kernelName"]);
  const { url, token, kernels = 1, kernelName = "persimmon" } = server;
  const found = parseUrl(url, place);
  if (token !== undefined && (typeof token !== "string" || !/^[\x21-\x7e]*$/.test(token))) {
    throw invalid(`${place}.token must be a text of visible ASCII characters`);
  }
  optionChecks(invalid).whole(`${place}.kernels`, kernels, 1, mostKernels);
  if (typeof kernelName !== "string" || kernelName === "") {
    throw invalid(`${place}.kernelName must be the name of a kernelspec, got ${show(kernelName)}`);
  }
  return { url: found.url, token: token ?? found.token, kernels, kernelName };
}

function parseUrl(text: unknown, place: string): { url: string; token: string } {
  const url = typeof text === "string" && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw invalid(
      `${place}.url must be an address that begins with http:// or https://, without user and password, such as "http://127.0.0.1:8888/"`,
    );
  }
  const token = url.searchParams.get("token") ?? "";
  const path = url.pathname.replace(/\/(lab|tree|notebooks)(\/.*)?$/, "/").replace(/\/*$/, "/");
  return { url: `${url.origin}${path}`, token };
}

/**
 * Reads a server from a command line: its address, and behind commas `token=…`, `kernels=N`, `kernel=NAME`.
 * Throws `EVAL_SERVER_INVALID`.
 */
export function parseServer(text: string): EvalServer {
  const [url, ...settings] = text.split(",");
  const server: EvalServer = { url };
  for (const setting of settings) {
    const [, name, value] = /^(token|kernels|kernel)=(.+)$/.exec(setting) ?? [];
    if (name === "token") server.token = value;
    else if (name === "kernels") server.kernels = Number(value);
    else if (name === "kernel") server.kernelName = value;
    else {
      throw invalid(
        `a server is written as URL[,token=…][,kernels=N][,kernel=NAME], found ${show(setting.replace(/^token=.*/s, "token=…"))} behind ${show(url.replace(/\?.*/s, ""))}`,
      );
    }
  }
  checkServers([server]);
  return server;
}

function invalid(message: string): PersimmonError {
  return new PersimmonError("EVAL_SERVER_INVALID", `servers of the run: ${message}`);
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}
