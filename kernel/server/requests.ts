import type { LanguageEngine } from "../language/engine.js";
import type { ConnectionInfo } from "../protocol/connection.js";
import type { Message, RequestChannel } from "../protocol/message.js";
import type { Wire } from "../protocol/wire.js";
import type { Channels } from "./channels.js";
import type { Execution, Reply } from "./execution.js";
import type { History } from "./history.js";
import type { Publisher } from "./iopub.js";
import type { CellRunner } from "./runner.js";

/** What the request handlers work with. */
export interface Services {
  wire: Wire;
  channels: Pick<Channels, "send">;
  publisher: Publisher;
  language: LanguageEngine;
  runner: CellRunner;
  execution: Execution;
  history: History;
  /** Comm id to target name, of all open comms. */
  comms: Map<string, string>;
  info: Record<string, unknown>;
  connection: ConnectionInfo;
  interrupt(): void;
  shutdown(restart: boolean): Promise<void>;
}

type Handler = (services: Services, message: Message, reply: Reply) => void | Promise<void>;

const HANDLERS: Record<string, Handler> = {
  kernel_info_request: ({ info }, _, reply) => reply("kernel_info_reply", info),
  connect_request: ({ connection }, _, reply) => {
    const { shell_port, iopub_port, stdin_port, hb_port, control_port } = connection;
    reply("connect_reply", { status: "ok", shell_port, iopub_port, stdin_port, hb_port, control_port });
  },
  complete_request: async ({ language }, { content }, reply) => {
    const code = codeOf(content);
    const completion = await language.complete(code, cursorOf(content.cursor_pos, code));
    reply("complete_reply", { status: "ok", ...completion });
  },
  inspect_request: async ({ language }, { content }, reply) => {
    const code = codeOf(content);
    const position = cursorOf(content.cursor_pos, code);
    const inspection = await language.inspect(code, position, Number(content.detail_level ?? 0));
    reply("inspect_reply", { status: "ok", data: {}, metadata: {}, ...inspection });
  },
  is_complete_request: async ({ language }, { content }, reply) => {
    const completeness = await language.isComplete(codeOf(content));
    reply("is_complete_reply", { ...completeness });
  },
  history_request: ({ history }, { content }, reply) =>
    reply("history_reply", { status: "ok", history: history.find(content) }),
  comm_info_request: ({ comms }, { content }, reply) => {
    const wanted = content.target_name;
    const open = [...comms].filter(([, target]) => !wanted || target === wanted);
    const entries = open.map(([id, target_name]) => [id, { target_name }]);
    reply("comm_info_reply", { status: "ok", comms: Object.fromEntries(entries) });
  },
  comm_open: async (services, message) => {
    services.comms.set(String(message.content.comm_id), String(message.content.target_name ?? ""));
    await forwardComm(services, message);
  },
  comm_msg: forwardComm,
  comm_close: async (services, message) => {
    services.comms.delete(String(message.content.comm_id));
    await forwardComm(services, message);
  },
  debug_request: (_, { content }, reply) => reply("debug_reply", debugRefusal(content)),
  interrupt_request: (services, _, reply) => {
    services.interrupt();
    reply("interrupt_reply", { status: "ok" });
  },
  shutdown_request: async ({ shutdown, publisher }, { content, header }, reply) => {
    const restart = content.restart === true;
    reply("shutdown_reply", { status: "ok", restart });
    publisher.publish("shutdown_reply", { status: "ok", restart }, header.msg_id);
    publisher.status("idle", header.msg_id);
    await shutdown(restart);
  },
};

/** Answers one request of shell or control, between busy and idle. Cells wait for their turn; all else is answered at once. */
export async function handleRequest(
  services: Services,
  channel: RequestChannel,
  message: Message,
): Promise<void> {
  const { publisher, channels, wire, execution } = services;
  const { identities, header } = message;
  publisher.remember(header);
  const reply: Reply = (type, content, metadata) =>
    channels.send(channel, wire.create(type, content, { identities, parent: header, metadata }));
  if (header.msg_type === "execute_request") return execution.push(message, reply);
  publisher.status("busy", header.msg_id);
  try {
    const handler = Object.hasOwn(HANDLERS, header.msg_type) ? HANDLERS[header.msg_type] : undefined;
    if (handler) await handler(services, message, reply);
    else if (header.msg_type.endsWith("_request"))
      reply(replyTypeOf(header.msg_type), refusal(header.msg_type));
  } catch (error) {
    if (!header.msg_type.endsWith("_request")) return publisher.status("idle", header.msg_id);
    const { name, message: evalue, stack } = error instanceof Error ? error : new Error(String(error));
    const traceback = (stack ?? evalue).split("\n");
    reply(replyTypeOf(header.msg_type), { status: "error", ename: name, evalue, traceback });
  }
  publisher.status("idle", header.msg_id);
}

function replyTypeOf(requestType: string): string {
  return requestType.replace(/_request$/, "_reply");
}

function refusal(type: string): Record<string, unknown> {
  const evalue = `This kernel does not know requests of the type ${type}.`;
  return { status: "error", ename: "NotImplementedError", evalue, traceback: [] };
}

/** A failed response of the Debug Adapter Protocol, which is what a debugger's client reads, and an error as well. */
function debugRefusal({ seq, command }: Message["content"]): Record<string, unknown> {
  const error = refusal("debug_request");
  const response = {
    type: "response",
    seq: 0,
    request_seq: seq ?? 0,
    command: command ?? "",
    success: false,
  };
  return { ...error, ...response, message: "This kernel has no debugger.", body: {} };
}

async function forwardComm({ runner, execution }: Services, message: Message): Promise<void> {
  await execution.begun;
  const { header, content, metadata, buffers } = message;
  await runner.comm({ type: "comm", id: header.msg_id, kind: header.msg_type, content, metadata, buffers });
}

function codeOf({ code }: Message["content"]): string {
  if (typeof code === "string") return code;
  throw new TypeError(`Expected text as code, found ${code === null ? "null" : typeof code}.`);
}

/** A cursor outside of the code is moved to its end. */
function cursorOf(value: unknown, code: string): number {
  const position = typeof value === "number" && Number.isFinite(value) ? Math.trunc(value) : code.length;
  return Math.max(0, Math.min(position, code.length));
}
