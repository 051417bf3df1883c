import { createHmac, getHashes, randomUUID, timingSafeEqual } from "node:crypto";
import { userInfo } from "node:os";
import { type Content, type Header, type Message, PROTOCOL_VERSION } from "./message.js";

const DELIMITER = Buffer.from("<IDS|MSG>");

/** What a new message may carry beside its type and content. */
export interface MessageOptions {
  parent?: Header | Record<string, never>;
  identities?: Uint8Array[];
  metadata?: Record<string, unknown>;
  buffers?: Uint8Array[];
}

/**
 * Signs and serialises messages of one session, and verifies and parses those that arrive.
 * An empty key switches signing off, as the protocol says.
 */
export class Wire {
  readonly session = randomUUID();
  readonly #key: string;
  readonly #algorithm: string;
  readonly #username: string;
  #count = 0;

  /**
   * @param key the key of the connection file
   * @param scheme the signature scheme of the connection file, such as `hmac-sha256`
   */
  constructor(key: string, scheme = "hmac-sha256") {
    this.#key = key;
    this.#algorithm = scheme.replace(/^hmac-/, "") || "sha256";
    if (!getHashes().includes(this.#algorithm)) {
      throw new Error(`Expected a signature scheme such as hmac-sha256, found ${scheme}.`);
    }
    this.#username = username();
  }

  /** A new message of this session. */
  create(type: string, content: Content, options: MessageOptions = {}): Message {
    return {
      identities: options.identities ?? [],
      header: {
        msg_id: `${this.session}_${process.pid}_${this.#count++}`,
        session: this.session,
        username: this.#username,
        date: new Date().toISOString(),
        msg_type: type,
        version: PROTOCOL_VERSION,
      },
      parentHeader: options.parent ?? {},
      metadata: options.metadata ?? {},
      content,
      buffers: options.buffers ?? [],
    };
  }

  /** The frames of a message: identities, delimiter, signature, header, parent, metadata, content, buffers. */
  encode(message: Message): Uint8Array[] {
    const parts = [message.header, message.parentHeader, message.metadata, message.content].map((part) =>
      Buffer.from(JSON.stringify(part)),
    );
    return [...message.identities, DELIMITER, Buffer.from(this.#sign(parts)), ...parts, ...message.buffers];
  }

  /** The message in these frames, or undefined when it is malformed or its signature is wrong. */
  decode(frames: Uint8Array[]): Message | undefined {
    const start = frames.findIndex((frame) => DELIMITER.equals(frame));
    if (start < 0 || frames.length < start + 6) return undefined;
    const signature = frames[start + 1]!;
    const parts = frames.slice(start + 2, start + 6);
    if (this.#key && !sameBytes(Buffer.from(this.#sign(parts)), signature)) return undefined;
    try {
      const [header, parentHeader, metadata, content] = parts.map((part) =>
        JSON.parse(Buffer.from(part).toString("utf8")),
      );
      if (typeof header?.msg_type !== "string" || typeof header.msg_id !== "string") return undefined;
      if (!isObject(content)) return undefined;
      return {
        identities: frames.slice(0, start),
        header,
        parentHeader: isObject(parentHeader) ? (parentHeader as unknown as Header) : {},
        metadata: isObject(metadata) ? metadata : {},
        content,
        buffers: frames.slice(start + 6),
      };
    } catch {
      return undefined;
    }
  }

  #sign(parts: Uint8Array[]): string {
    if (!this.#key) return "";
    const hmac = createHmac(this.#algorithm, this.#key);
    for (const part of parts) hmac.update(part);
    return hmac.digest("hex");
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function username(): string {
  try {
    return userInfo().username;
  } catch {
    return "kernel"; // a container's user id may have no entry in the password file
  }
}
