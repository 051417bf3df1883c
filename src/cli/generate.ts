import { Command } from "commander";
import { PersimmonError } from "../errors.js";
import { chatPrompt, chatStop } from "../generation/chat.js";
import { checkOptions } from "../generation/options.js";
import type { LanguageModel, Token } from "../index.js";
import { loadFromOptions } from "./load.js";
import {
  addModelOptions,
  addSamplingOptions,
  generateOptions,
  type ModelOptions,
  type SamplingOptions,
} from "./options.js";
import { ProgressLine } from "./progress_line.js";

interface Options extends ModelOptions, SamplingOptions {
  chat?: boolean;
  logprobs?: boolean;
  json?: boolean;
}

/** `persimmon generate`: continues one prompt. */
export function generateCommand(): Command {
  const command = new Command("generate")
    .description("continue a text")
    .argument("[prompt]", "the text; without it, standard input");
  addSamplingOptions(addModelOptions(command));
  return command
    .option("--chat", "put the text into the chat format, as a question")
    .option("--logprobs", "with --json: the log-probability of each token")
    .option("--json", "print the text, the ids and the speed as JSON")
    .action(async (prompt: string | undefined, options: Options) => {
      // Before minutes of loading.
      checkGenerate(options);
      const text = await promptOf(prompt);
      const model = await loadFromOptions(options);
      await generate(model, text, options, (part) => process.stdout.write(part));
    });
}

/**
 * Generates and prints: how far it is with a long prompt, then the text as it comes, or one JSON object at the end. Ctrl-C ends the generation, and what was
 * made so far is printed; a second Ctrl-C ends the program.
 */
export async function generate(
  model: Pick<LanguageModel, "generate" | "encodePrompt">,
  text: string,
  options: Options,
  write: (text: string) => void,
  progress = new ProgressLine(),
): Promise<void> {
  const prompt = options.chat ? chatPrompt(text) : text;
  const given = generateOptions(options);
  const stop = options.chat ? [...(options.stop ?? []), chatStop] : given.stop;
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort();
  process.once("SIGINT", onInterrupt);
  try {
    const started = performance.now();
    let first: number | undefined;
    const tokens: Token[] = [];
    const stream = model.generate(prompt, {
      ...given,
      ...(stop !== undefined && { stop }),
      logprobs: options.logprobs ?? false,
      signal: interrupt.signal,
      onProgress: progress.show,
    });
    for await (const token of stream) {
      first ??= performance.now();
      progress.end();
      tokens.push(token);
      if (!options.json) write(token.text);
    }
    const result = await stream.done;
    const ended = performance.now();
    if (!options.json) return write("\n");
    const decodeSeconds = (ended - (first ?? ended)) / 1000;
    const report = {
      prompt,
      promptTokens: model.encodePrompt(prompt).length,
      ...result,
      ...(options.logprobs && { logprobs: tokens.map((token) => token.logprob) }),
      secondsToFirstToken: first === undefined ? null : (first - started) / 1000,
      // The first token belongs to the prompt's pass.
      tokensPerSecond: decodeSeconds > 0 && tokens.length > 1 ? (tokens.length - 1) / decodeSeconds : null,
    };
    write(`${JSON.stringify(report, null, 2)}\n`);
  } finally {
    progress.end();
    process.off("SIGINT", onInterrupt);
  }
}

/** Throws SAMPLING_INVALID, and OPTION_INVALID for what would have no effect. */
export function checkGenerate(options: Options): void {
  checkOptions(generateOptions(options));
  if (!options.logprobs || options.json) return;
  throw new PersimmonError("OPTION_INVALID", "--logprobs has no effect without --json, which prints them");
}

/**
 * The text that is to be continued.
 * @param given on the command line; without it, standard input is read
 * @throws PersimmonError PROMPT_EMPTY, since what follows BOS alone is what nobody has asked for
 */
export async function promptOf(
  given: string | undefined,
  input: AsyncIterable<string | Buffer> & { isTTY?: boolean } = process.stdin.setEncoding("utf8"),
): Promise<string> {
  let text = given ?? "";
  if (given === undefined && !input.isTTY) for await (const part of input) text += part;
  if (text !== "") return text;
  throw new PersimmonError(
    "PROMPT_EMPTY",
    'there is no prompt: `persimmon generate "Once upon a time"`, or text on standard input',
  );
}
