import { createHash, timingSafeEqual } from "node:crypto";
import { PersimmonError } from "../errors.js";
import { optionChecks } from "../option_checks.js";
import { RequestError } from "./request_error.js";

const loopbackNames = new Set(["localhost", "127.0.0.1", "[::1]", "::1"]);

/** Whether a host name or address is this machine's own, which nobody else can reach. */
export function isLoopback(host: string): boolean {
  return loopbackNames.has(host.toLowerCase()) || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/**
 * Refuses to serve other machines without a token.
 * @throws PersimmonError TOKEN_REQUIRED, TOKEN_INVALID
 */
export function checkAccess(host: string, token: string | undefined): void {
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw new PersimmonError(
      "TOKEN_INVALID",
      "the token must have one character at least, and none but visible ASCII characters without a space",
    );
  }
  if (token !== undefined || isLoopback(host)) return;
  throw new PersimmonError(
    "TOKEN_REQUIRED",
    `other machines can reach ${host}, so requests need a token: set PERSIMMON_TOKEN or --token, for instance to the output of \`openssl rand -hex 32\`; or leave --host out`,
  );
}

/** @throws PersimmonError OPTION_INVALID unless it is a port, or 0 for any that is free, or left out */
export function checkPort(port: number | undefined): void {
  if (port === undefined) return;
  const invalid = (message: string) => new PersimmonError("OPTION_INVALID", `serve: ${message}`);
  optionChecks(invalid).whole("port", port, 0, 65_535);
}

/**
 * Whether a request may be answered. With a token it has to carry it; without one, the server is this machine's own, and so has
 * to be the name that it was asked by: a web page whose name was made to point here (DNS rebinding) asks by another.
 * @throws RequestError TOKEN_MISSING, INVALID_API_KEY (401), HOST_FORBIDDEN (403)
 */
export function authorize(
  headers: { authorization?: string | undefined; host?: string | undefined },
  token: string | undefined,
): void {
  if (token === undefined) {
    const name = (headers.host ?? "").replace(/:\d+$/, "");
    if (name === "" || isLoopback(name)) return;
    throw new RequestError(
      "HOST_FORBIDDEN",
      `this server is asked by localhost or 127.0.0.1, and not by ${JSON.stringify(name)}`,
      { status: 403 },
    );
  }
  const given = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1];
  if (given === undefined) {
    throw new RequestError(
      "TOKEN_MISSING",
      "the request needs the server's token, in the header `Authorization: Bearer TOKEN`",
      { status: 401 },
    );
  }
  if (!isSame(given, token)) {
    throw new RequestError("INVALID_API_KEY", "the token is not the one of this server", { status: 401 });
  }
}

/** In a time that says nothing of how much is right: hashes have one length, and are compared as a whole. */
function isSame(given: string, token: string): boolean {
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(given), hash(token));
}
