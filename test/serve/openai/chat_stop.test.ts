import { expect, it } from "vitest";
import type { LanguageModel } from "../../../src/language_model.js";
import { runningServer, send } from "../running_server.js";

const prompt = "human: a\n\nadept:";

/** Makes the model say `answer` to the prompt, a character at a time, whatever its weights are. */
function dictate(model: LanguageModel, answer: string): void {
  const begin = model.encodePrompt(prompt).length - 1;
  const ids = [...answer].map((character) => model.tokenizer.idOf(character) as number);
  model.hook("logits", (x, at) => {
    for (const [row, position] of at.positions.entries()) {
      x.row(row).fill(-100);
      x.row(row)[ids[position - begin] ?? ids[0]] = 100;
    }
  });
}

it("an answer ends where the model begins the next question itself", async () => {
  const { server } = await runningServer({}, {}, (model) => dictate(model, "yes\n\nhum.\n\nhuman: and"));
  const body = { model: "tiny", messages: [{ role: "user", content: "a" }], max_tokens: 40, temperature: 0 };
  const whole = await send(`${server.url}/v1/chat/completions`, "POST", body);
  expect(whole.body.choices[0]).toMatchObject({ message: { content: "yes\n\nhum." }, finish_reason: "stop" });
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...body, stream: true }),
  });
  const events = (await response.text()).trim().split("\n\n").slice(0, -1);
  const choices = events.map((event) => JSON.parse(event.replace(/^data: /, "")).choices[0]);
  expect(choices.map(({ delta }) => delta.content ?? "").join("")).toBe("yes\n\nhum.");
  // A stop text of one's own comes beside it.
  const sooner = await send(`${server.url}/v1/chat/completions`, "POST", { ...body, stop: "s" });
  expect(sooner.body.choices[0]).toMatchObject({ message: { content: "ye" }, finish_reason: "stop" });
});
