/** The version of the Jupyter messaging protocol that this kernel speaks. */
export const PROTOCOL_VERSION = "5.4";

/** The header of a Jupyter message (https://jupyter-client.readthedocs.io/en/stable/messaging.html). */
export interface Header {
  msg_id: string;
  session: string;
  username: string;
  date: string;
  msg_type: string;
  version: string;
}

/** The content of a message, before a handler has looked at it. */
export type Content = Record<string, unknown>;

/** One message as it travels over a socket. */
export interface Message {
  /** Routing prefix of a ROUTER socket, or the topic on iopub. */
  identities: Uint8Array[];
  header: Header;
  /** The header of the request that this message answers or belongs to; empty when there is none. */
  parentHeader: Header | Record<string, never>;
  metadata: Record<string, unknown>;
  content: Content;
  buffers: Uint8Array[];
}

/** The channels whose requests take part in the busy/idle protocol. */
export type RequestChannel = "shell" | "control";
