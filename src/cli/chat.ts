import { createInterface } from "node:readline";
import { Command } from "commander";
import { checkOptions } from "../generation/options.js";
import { ChatSession } from "./chat_session.js";
import { loadFromOptions } from "./load.js";
import {
  addModelOptions,
  addSamplingOptions,
  generateOptions,
  type ModelOptions,
  type SamplingOptions,
} from "./options.js";

/** Two presses of Ctrl-C within this time end the program. */
const SECOND_PRESS_MILLISECONDS = 2000;

const HELP = `/new    begin a new conversation
/help   this list
/quit   leave (also /exit, Ctrl-D, or Ctrl-C twice)
`;

/** `persimmon chat`: a conversation in the chat format on the terminal, or over lines of standard input. */
export function chatCommand(): Command {
  const command = new Command("chat").description(
    "talk to a model; Ctrl-C ends an answer, twice ends the program",
  );
  return addSamplingOptions(addModelOptions(command)).action(
    async (options: ModelOptions & SamplingOptions) => {
      checkOptions(generateOptions(options)); // before minutes of loading
      const model = await loadFromOptions(options);
      const session = new ChatSession(model, options);
      const terminal = process.stdin.isTTY === true;
      const lines = createInterface({ input: process.stdin, output: process.stdout, terminal, prompt: "> " });
      let isOpen = true;
      lines.once("close", () => {
        isOpen = false;
      });
      const prompt = () => {
        if (terminal && isOpen) lines.prompt();
      };
      // Ends by itself, and not in the midst of what a device computes; one more Ctrl-C would end it at once.
      const leave = () => {
        process.exitCode = 130;
        process.off("SIGINT", onInterrupt);
        session.interrupt();
        isLeaving = true;
        lines.close();
      };
      process.stdout.once("error", leave);

      let isLeaving = false;
      let pressed = Number.NEGATIVE_INFINITY;
      const onInterrupt = () => {
        const again = performance.now() - pressed < SECOND_PRESS_MILLISECONDS;
        pressed = performance.now();
        if (again) leave();
        else if (!session.interrupt()) {
          process.stdout.write("\n(Ctrl-C again to leave)\n");
          prompt();
        }
      };
      // On a terminal readline reads the key itself; otherwise the signal comes to the process.
      lines.on("SIGINT", onInterrupt);
      process.on("SIGINT", onInterrupt);

      if (terminal) process.stdout.write(HELP);
      prompt();
      for await (const line of lines) {
        const text = line.trim();
        if (isLeaving || text === "/quit" || text === "/exit") break;
        if (text === "/new") session.reset();
        else if (text === "/help") process.stdout.write(HELP);
        else if (text !== "") await session.answer(text, (part) => process.stdout.write(part));
        prompt();
      }
      lines.close();
      process.off("SIGINT", onInterrupt);
    },
  );
}
