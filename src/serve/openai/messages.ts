import type { ChatTurn } from "../../generation/chat.js";
import { invalid } from "../fields.js";
import { RequestError } from "../request_error.js";

/**
 * The turns of a conversation. Persimmon's chat format has questions and answers in turn, and nothing before the first question.
 * @throws RequestError
 */
export function chatTurns(messages: unknown): ChatTurn[] {
  if (messages === undefined) {
    throw new RequestError("MISSING_PARAMETER", "the request must have messages", { param: "messages" });
  }
  if (!Array.isArray(messages) || messages.length === 0) {
    throw invalid("messages", "a list of at least one message", messages);
  }
  const turns: ChatTurn[] = [];
  for (const [index, message] of messages.entries()) {
    const text = textOf(message, `messages[${index}]`, index % 2 === 0 ? "user" : "assistant");
    if (index % 2 === 0) turns.push({ human: text });
    else turns[turns.length - 1] = { ...turns[turns.length - 1], adept: text };
  }
  if (messages.length % 2 === 1) return turns;
  throw new RequestError("INVALID_VALUE", "the last message must be the user's, which is answered", {
    param: `messages[${messages.length - 1}].role`,
  });
}

function textOf(message: unknown, place: string, role: "user" | "assistant"): string {
  if (typeof message !== "object" || message === null || Array.isArray(message)) {
    throw invalid(place, 'an object such as { "role": "user", "content": "Hello" }', message);
  }
  const { role: given, content, ...others } = message as Record<string, unknown>;
  checkRole(given, role, `${place}.role`);
  const other = Object.entries(others).find(([, value]) => value !== null && value !== undefined);
  if (other !== undefined) {
    throw new RequestError(
      "UNSUPPORTED_PARAMETER",
      `${place} has ${other[0]}, which Persimmon knows nothing of`,
      {
        param: `${place}.${other[0]}`,
      },
    );
  }
  if (typeof content === "string") return content;
  if (Array.isArray(content) && content.length > 0) {
    return content.map((part, index) => partText(part, `${place}.content[${index}]`)).join("");
  }
  throw invalid(`${place}.content`, "a text or a list of parts of type text", content);
}

function checkRole(given: unknown, expected: "user" | "assistant", param: string): void {
  if (given === expected) return;
  if (given === "system" || given === "developer") {
    throw new RequestError(
      "UNSUPPORTED_VALUE",
      `Persimmon was trained without a ${given} role: put what it is to know into the first user message`,
      { param },
    );
  }
  throw invalid(param, `"${expected}": user and assistant take turns, and the user begins`, given);
}

function partText(part: unknown, place: string): string {
  const { type, text, ...others } = Object(part) as Record<string, unknown>;
  if (type === "text" && typeof text === "string" && Object.keys(others).length === 0) return text;
  throw invalid(place, 'an object such as { "type": "text", "text": "Hello" }', part);
}
