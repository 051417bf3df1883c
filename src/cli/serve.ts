import { basename, resolve } from "node:path";
import { Command } from "commander";
import type { ServeLimits } from "../serve/limits.js";
import type { ModelServer } from "../serve/server.js";
import { loadFromOptions } from "./load.js";
import { addModelOptions, type ModelOptions, parseNumber } from "./options.js";

interface Options extends ModelOptions {
  host?: string;
  port?: number;
  token?: string;
  name?: string;
  batch?: number;
  kvTokens?: number;
  queue?: number;
  maxNewTokens?: number;
  maxChoices?: number;
  maxBody?: number;
  timeout?: number;
  grace?: number;
  json?: boolean;
}

/** `persimmon serve`: answers over HTTP, as Adept's server and as OpenAI's interface. */
export function serveCommand(): Command {
  const command = new Command("serve").description(
    "answer over HTTP: Adept's PUT /api, and OpenAI's /v1/completions and /v1/chat/completions",
  );
  return addModelOptions(command)
    .option(
      "--host <address>",
      "where to listen; any but this machine's own needs a token (default: 127.0.0.1)",
    )
    .option("--port <n>", "0 takes any that is free (default: 6001)", parseNumber)
    .option(
      "--token <text>",
      "what requests must carry as `Authorization: Bearer …`; PERSIMMON_TOKEN in the environment is the safer place",
    )
    .option(
      "--name <name>",
      "what clients call the model (default: the end of its path, or its name on the hub)",
    )
    .option("--batch <n>", "texts that are decoded together (default: 16)", parseNumber)
    .option(
      "--kv-tokens <n>",
      "positions that all running texts may take (default: what half of the free memory holds, one context to four)",
      parseNumber,
    )
    .option(
      "--queue <n>",
      "texts that may wait; who comes then is told to come later (default: 256)",
      parseNumber,
    )
    .option(
      "--max-new-tokens <n>",
      "most tokens that one text may have made (default: the context)",
      parseNumber,
    )
    .option("--max-choices <n>", "most texts that one request may ask for (default: 128)", parseNumber)
    .option("--max-body <bytes>", "longest body of a request (default: 1048576)", parseNumber)
    .option("--timeout <seconds>", "longest time of a request, waiting included (default: 600)", parseNumber)
    .option("--grace <seconds>", "time to finish after SIGTERM or Ctrl-C (default: 30)", parseNumber)
    .option("--json", "print where it listens as JSON")
    .addHelpText(
      "after",
      `
The chat format has no system role. There is no CORS: pages of other origins cannot ask. Texts of prompts and answers are
not logged. The first SIGTERM or Ctrl-C lets running requests finish, the second ends at once.`,
    )
    .action((options: Options) => serve(options));
}

async function serve(options: Options): Promise<void> {
  const { checkAccess, checkPort } = await import("../serve/access.js");
  const { host = "127.0.0.1" } = options;
  const token = options.token ?? process.env.PERSIMMON_TOKEN;
  // Before minutes of loading.
  checkAccess(host, token);
  checkPort(options.port);
  const model = await loadFromOptions(options);
  const { ModelServer } = await import("../serve/server.js");
  const server = await ModelServer.start(model, {
    host,
    ...(options.port !== undefined && { port: options.port }),
    token,
    modelName: options.name ?? servedName(options.model),
    limits: limitsOf(options),
    onError: (error) => process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`),
  });
  const name = options.name ?? servedName(options.model);
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ url: server.url, model: name })}\n`
      : `${name} at ${server.url}: PUT /api, POST /v1/completions, POST /v1/chat/completions; Ctrl-C stops\n`,
  );
  await stopped(server);
}

/** What clients call a model: its name on the hub, or the last part of its path. */
export function servedName(model: string | undefined): string {
  if (model === undefined) return "persimmon-demo";
  return /^[\w-][\w.-]*\/[\w.-]+$/.test(model) ? model : basename(resolve(model));
}

function limitsOf(options: Options): Partial<ServeLimits> {
  const { batch, kvTokens, queue, maxNewTokens, maxChoices, maxBody, timeout, grace } = options;
  const given = Object.entries({
    batch,
    kvTokens,
    queue,
    newTokens: maxNewTokens,
    choices: maxChoices,
    bodyBytes: maxBody,
    seconds: timeout,
    graceSeconds: grace,
  });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** Resolves when the server has been told to stop and has done so. */
function stopped(server: ModelServer): Promise<void> {
  return new Promise((done, failed) => {
    let isStopping = false;
    const stop = (signal: NodeJS.Signals) => {
      if (isStopping) {
        // `process.exit` would take down what the device's thread uses while it computes; the signal itself ends all threads at once.
        process.off("SIGINT", stop).off("SIGTERM", stop);
        process.kill(process.pid, signal);
        return;
      }
      isStopping = true;
      const { requests } = server.load;
      if (requests > 0) process.stderr.write(`finishing ${requests} requests; once more ends at once\n`);
      server.stop().then(done, failed);
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
  });
}
