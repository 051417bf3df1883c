import { PersimmonError } from "../../errors.js";
import { interruptSignal, jupyterHost } from "../../host.js";
import type { LanguageModel } from "../../language_model.js";
import { loadModel } from "../../load_model.js";
import { fingerprintOf, type Manifest, manifestText } from "../run/manifest.js";
import { askedOf, completeManifest, encode, type PreparedRun } from "../run/prepare.js";
import { sampleKey } from "../run/samples.js";
import { type Finished, makeSamples } from "../run/shard_run.js";
import type { EvalTask } from "../task.js";
import { findTask } from "../tasks/index.js";
import {
  mimeType,
  protocolVersion,
  type WorkerMessage,
  type WorkerPiece,
  type WorkerSetup,
} from "./protocol.js";
import { threadsBeside } from "./threads.js";

/** Makes the samples of what it is given, in a kernel, for `runEvalOnServers` somewhere else. */
export class EvalWorker {
  readonly #model: LanguageModel;
  readonly #task: EvalTask;
  readonly #manifest: Manifest;

  constructor(model: LanguageModel, task: EvalTask, manifest: Manifest) {
    this.#model = model;
    this.#task = task;
    this.#manifest = manifest;
  }

  /** Shows each sample as soon as it is finished. */
  async answer(pieces: readonly WorkerPiece[]): Promise<void> {
    await showingErrors(async () => {
      const signal = interruptSignal();
      const items = pieces.map(({ item }) => item);
      const making = makeSamples(this.#runOf(pieces), items, this.#notAsked(pieces), signal, showSamples);
      for await (const _batch of making);
    });
  }

  #runOf(pieces: readonly WorkerPiece[]): PreparedRun {
    const { settings, method } = this.#manifest;
    const shots = new Map(pieces.map(({ item, shot }) => [item.id, shot ?? undefined]));
    const asked = {
      task: this.#task,
      method,
      switches: {
        finalNewline: settings.final_newline,
        instructionPrefix: settings.instruction_prefix,
        chat: settings.chat,
      },
    };
    return {
      model: this.#model,
      task: this.#task,
      manifest: this.#manifest,
      fingerprint: fingerprintOf(manifestText(this.#manifest)),
      origin: { model: this.#model.source, data: "items", split: this.#manifest.data.split, subset: null },
      items: pieces.map(({ item }) => item),
      question: (item) => {
        const question = askedOf(asked, item, shots.get(item.id));
        return { ...question, ids: encode(this.#model, question.prompt, settings.bos, item) };
      },
    };
  }

  /** Keys of samples of these items that are not wanted. */
  #notAsked(pieces: readonly WorkerPiece[]): Set<string> {
    const all = Array.from({ length: this.#manifest.settings.samples }, (_, sample) => sample);
    return new Set(
      pieces.flatMap(({ item, samples }) =>
        all.filter((sample) => !samples.includes(sample)).map((sample) => sampleKey({ id: item.id, sample })),
      ),
    );
  }
}

/**
 * Loads the model in a kernel and says what a run there would be. `runEvalOnServers` has kernels call it; nobody else needs to.
 * What goes wrong is shown as a message rather than thrown, so that its code arrives.
 */
export async function openEvalWorker(setup: WorkerSetup): Promise<EvalWorker | undefined> {
  return showingErrors(async () => {
    if (setup?.protocol !== protocolVersion) {
      throw new PersimmonError(
        "EVAL_SERVER_MISMATCH",
        `the persimmon-lab of this kernel speaks version ${protocolVersion} of the protocol of evaluations, asked for was ${String(setup?.protocol)}: install the same version on both sides`,
      );
    }
    const { draft, kernelsHere } = setup;
    const load = { ...setup.load, threads: setup.load.threads ?? threadsBeside(kernelsHere) };
    const task = findTask(draft.task);
    const model = await loadModel(setup.model ?? undefined, load);
    // What this library does with the task, not what the other side thinks it does.
    const settings = { ...draft.settings, stop: task.stop.map(String) };
    const own = { ...draft, task_version: task.version, settings };
    const manifest = await completeManifest(own, model, interruptSignal());
    show({ kind: "ready", protocol: protocolVersion, manifest, threads: load.threads });
    return new EvalWorker(model, task, manifest);
  });
}

async function showingErrors<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PersimmonError)) throw error;
    show({ kind: "error", code: error.code, message: error.message });
    return undefined;
  }
}

function showSamples({ samples, promptTokens, generatedTokens }: Finished): void {
  show({
    kind: "samples",
    samples: samples.map(({ prompt: _known, ...sample }) => sample),
    prompt_tokens: promptTokens,
    generated_tokens: generatedTokens,
  });
}

function show(message: WorkerMessage): void {
  const host = jupyterHost();
  if (host === undefined) {
    throw new Error("openEvalWorker works in a Jupyter kernel only: runEvalOnServers calls it there");
  }
  host.display({ [mimeType]: message, "text/plain": `evaluation: ${message.kind}` });
}
