import { Command } from "commander";
import { pullCheckpoint } from "../checkpoint/index.js";
import { sizeText } from "../checkpoint/size_text.js";
import { DownloadLine } from "./download_line.js";
import { duration } from "./transfer_rate.js";

interface Options {
  revision?: string;
  cacheDir?: string;
  all?: boolean;
  json?: boolean;
}

/** `persimmon pull`: a model of the hub into the Hugging Face cache. Ctrl-C ends it; the next one goes on from there. */
export function pullCommand(): Command {
  return new Command("pull")
    .description("download a model from the Hugging Face hub, or the rest of it, into the Hugging Face cache")
    .argument("<model>", "name on the hub: owner/name, or owner/name@revision")
    .option("--revision <revision>", "branch, tag or commit (default: main)")
    .option("--cache-dir <folder>", "where it is kept (default: HF_HUB_CACHE, or hub in HF_HOME)")
    .option("--all", "every file of the repository, not just one form of the weights and what belongs to it")
    .option("--json", "print what was fetched as JSON")
    .addHelpText(
      "after",
      [
        "",
        "What is there already is not fetched again, and what Python's huggingface_hub has fetched counts.",
        "Private and gated models need a token: HF_TOKEN, or what `hf auth login` has stored. HF_ENDPOINT names a mirror.",
        "All other commands then take the name in place of a folder.",
      ].join("\n"),
    )
    .action(async (model: string, { revision, cacheDir, all, json }: Options) => {
      const stop = new AbortController();
      const onStop = () => stop.abort();
      process.once("SIGINT", onStop);
      process.once("SIGTERM", onStop);
      const line = new DownloadLine();
      const started = Date.now();
      try {
        const pulled = await pullCheckpoint(model, {
          revision,
          cacheDirectory: cacheDir,
          all,
          signal: stop.signal,
          onProgress: line.show,
        });
        line.end();
        const seconds = (Date.now() - started) / 1000;
        const bytes = sum(pulled.files);
        const newBytes = sum(pulled.files.filter(({ isNew }) => isNew));
        const news =
          newBytes === 0 ? "all there already" : `${sizeText(newBytes)} of it new, in ${duration(seconds)}`;
        const files =
          pulled.files.length === 0
            ? "what the cache has, since downloading is switched off"
            : `${pulled.files.length} files, ${sizeText(bytes)}, ${news}`;
        const text = json
          ? JSON.stringify({ model, ...pulled, bytes, newBytes, seconds }, null, 2)
          : `${pulled.directory}\n${model} at commit ${pulled.commit}: ${files}`;
        process.stdout.write(`${text}\n`);
      } finally {
        line.end();
        process.off("SIGINT", onStop);
        process.off("SIGTERM", onStop);
      }
    });
}

function sum(files: readonly { bytes: number }[]): number {
  return files.reduce((total, { bytes }) => total + bytes, 0);
}
