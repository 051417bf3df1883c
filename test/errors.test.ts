import { expect, it } from "vitest";
import { PersimmonError } from "../src/errors.js";

it("an error carries its code and its cause", () => {
  const cause = new Error("inner");
  const error = new PersimmonError("SOME_CODE", "what happened", { cause });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ name: "PersimmonError", code: "SOME_CODE", message: "what happened", cause });
});
