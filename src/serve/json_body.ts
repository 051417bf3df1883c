import type { IncomingMessage } from "node:http";
import { RequestError } from "./request_error.js";

/**
 * The object that a request's body holds.
 * @param most bytes that are read; one that is longer is left unread
 * @throws RequestError CONTENT_TYPE_INVALID (415), BODY_TOO_LARGE (413), BODY_INVALID (400), CLIENT_GONE
 */
export async function jsonBody(incoming: IncomingMessage, most: number): Promise<Record<string, unknown>> {
  const type = incoming.headers["content-type"] ?? "";
  // A page of another origin may send any other type without asking first.
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new RequestError(
      "CONTENT_TYPE_INVALID",
      `the body must have the header "Content-Type: application/json", got ${type === "" ? "none" : JSON.stringify(type)}`,
      { status: 415 },
    );
  }
  if (Number(incoming.headers["content-length"] ?? 0) > most) throw tooLarge(most);
  return parse((await bytesOf(incoming, most)).toString("utf8"));
}

async function bytesOf(incoming: IncomingMessage, most: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    // Left alone where it is too long: destroyed, it would take the connection and the answer with it.
    for await (const part of incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > most) throw tooLarge(most);
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof RequestError) throw error;
    throw new RequestError("CLIENT_GONE", `the body broke off after ${bytes} bytes`);
  }
  return Buffer.concat(parts);
}

function tooLarge(most: number): RequestError {
  return new RequestError("BODY_TOO_LARGE", `the body is longer than the ${most} bytes that are accepted`, {
    status: 413,
  });
}

function parse(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new RequestError("BODY_INVALID", `the body is not JSON: ${(error as Error).message}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  const kind = value === null ? "null" : Array.isArray(value) ? "a list" : typeof value;
  throw new RequestError("BODY_INVALID", `the body must be a JSON object, got ${kind}`);
}
