import { expect } from "vitest";

/** The code of what `f` throws; fails when it throws nothing. */
export function codeOf(f: () => unknown): string | undefined {
  try {
    f();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return expect.fail("nothing was thrown");
}

/** `CODE: message` of what a promise rejects with, machine paths replaced by `<directory>`. */
export async function failureOf(promise: PromiseLike<unknown>, directory?: string): Promise<string> {
  try {
    await promise;
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    const text = directory === undefined ? message : message.replaceAll(directory, "<directory>");
    return `${code}: ${text}`;
  }
  return expect.fail("nothing was rejected");
}
