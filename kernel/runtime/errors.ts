import { inspect } from "node:util";
import { excerpt } from "../language/excerpt.js";
import type { ErrorContent } from "../threads.js";
import { adviceFor } from "./advice.js";
import { firstPlace, framesOf } from "./frames.js";
import { isInterrupt } from "./interrupts.js";

/** Thrown by process.exit in a cell: the kernel lives on. */
export class SystemExit extends Error {
  constructor(readonly exitCode: unknown) {
    super(
      `process.exit(${exitCode ?? ""}) ends only this cell; shut the kernel down from Jupyter to end it.`,
    );
    this.name = "SystemExit";
  }
}

/** What the kernel knows of the user's code, for showing errors in it. */
export interface ErrorSources {
  /** A line of a cell or a local file, by the label that stacks show; lines count from 1. */
  line(label: string, line: number): string | undefined;
  /** The awaits that an error came through, innermost first, such as `Cell 2:3:1`. */
  awaits(error: object): readonly string[];
}

const MAX_CAUSES = 8;
const MAX_ERRORS = 10;
// A message that holds a whole document helps nobody and slows the page.
const MAX_MESSAGE = 10_000;
// These are shown in their own way, or say nothing.
const SHOWN_ELSEWHERE = new Set(["name", "message", "stack", "cause", "errors", "exitCode"]);

/** An exception as Jupyter shows it: name, message, stack in the cell's own lines, causes, and the offending line. */
export function errorContent(error: unknown, sources: ErrorSources): ErrorContent {
  try {
    return contentOf(error, sources);
  } catch {
    // Whatever a thrown object does when it is looked at, the cell must end.
    const evalue = "The thrown value cannot be shown: looking at it throws.";
    return { ename: "UncaughtValue", evalue, traceback: [`Uncaught: ${evalue}`] };
  }
}

function contentOf(error: unknown, sources: ErrorSources): ErrorContent {
  if (isInterrupt(error)) {
    const evalue = "The execution was interrupted.";
    return { ename: "KeyboardInterrupt", evalue, traceback: [`KeyboardInterrupt: ${evalue}`] };
  }
  if (!isError(error)) {
    const evalue = shortened(safeInspect(error));
    return { ename: "UncaughtValue", evalue, traceback: [`Uncaught ${evalue}`] };
  }
  const traceback = describe(error, sources, new Set()).split("\n");
  return { ename: nameOf(error), evalue: messageOf(error), traceback };
}

function describe(error: object, sources: ErrorSources, seen: Set<object>): string {
  if (seen.has(error)) return `${nameOf(error)}: ${messageOf(error)} [circular]`;
  seen.add(error);
  const name = nameOf(error);
  const message = messageOf(error);
  const { before, frames } = framesOf(error, sources.awaits(error));
  const head = message ? `${name}: ${message}` : name;
  const parts = [[head, ...frames].join("\n")];
  if (before) parts.push(before);
  const place = firstPlace(frames);
  const text = place && sources.line(place.label, place.line);
  if (text !== undefined) parts.push(excerpt(text, place!.line, place!.column, "^"));
  const properties = propertiesOf(error);
  if (properties) parts.push(properties);
  const advice = adviceFor(error);
  if (advice) parts.push(advice);
  const inner = (value: unknown) =>
    isError(value) && seen.size <= MAX_CAUSES ? describe(value, sources, seen) : safeInspect(value);
  const cause = read(error, "cause");
  if (cause !== undefined) parts.push(`[cause]: ${inner(cause)}`);
  const errors = read(error, "errors");
  if (Array.isArray(errors) && error instanceof AggregateError) {
    errors.slice(0, MAX_ERRORS).forEach((each, i) => {
      parts.push(`[errors ${i}]: ${inner(each)}`);
    });
    if (errors.length > MAX_ERRORS) parts.push(`[${errors.length - MAX_ERRORS} more errors]`);
  }
  return parts.join("\n\n");
}

/** The error's name; that of its class when it bears only the name of `Error`. */
function nameOf(error: object): string {
  const own = read(error, "name");
  const name = typeof own === "string" && own ? own : "Error";
  if (name !== "Error") return name;
  const errorClass = read(error, "constructor");
  const className = typeof errorClass === "function" ? read(errorClass, "name") : undefined;
  return typeof className === "string" && className && className !== "Object" ? className : name;
}

function messageOf(error: object): string {
  const message = read(error, "message");
  if (message === undefined) return "";
  return shortened(typeof message === "string" ? message : safeInspect(message));
}

function shortened(message: string): string {
  if (message.length <= MAX_MESSAGE) return message;
  return `${message.slice(0, MAX_MESSAGE)}… ${message.length - MAX_MESSAGE} more characters`;
}

/** What an error says beside its message, such as `code`. Getters are shown, not called. */
function propertiesOf(error: object): string | undefined {
  const copy = {};
  for (const [key, descriptor] of Object.entries(safeDescriptors(error))) {
    if (descriptor.enumerable && !SHOWN_ELSEWHERE.has(key)) Object.defineProperty(copy, key, descriptor);
  }
  return Object.keys(copy).length > 0 ? shortened(safeInspect(copy)) : undefined;
}

function safeDescriptors(error: object): Record<string, PropertyDescriptor> {
  try {
    return Object.getOwnPropertyDescriptors(error);
  } catch {
    return {};
  }
}

/** A property of an error; its getter may throw. */
function read(target: object, property: string): unknown {
  try {
    return (target as Record<string, unknown>)[property];
  } catch {
    return undefined;
  }
}

function isError(value: unknown): value is object {
  try {
    // Errors of another context (vm, worker) are no instances of this Error.
    return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
  } catch {
    return false;
  }
}

function safeInspect(value: unknown): string {
  try {
    return inspect(value, { depth: 4 });
  } catch {
    return "[value that cannot be inspected]";
  }
}
