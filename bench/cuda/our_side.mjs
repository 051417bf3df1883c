// Our rungs of the ladder: one model for each kind of weights, which rungs share.
import { edits, randomModel } from "../../dist/src/index.js";
import { bytesRead, promptIds } from "../../dist/src/research/model_speed.js";
import { timed } from "../side_by_side.mjs";

/** What each rung adds to the one before it. Attention is one fused op in all of them. */
export const rungs = {
  eager: { dtype: "bfloat16", skipZeros: false, generate: { capture: false } },
  "+ graph": { dtype: "bfloat16", skipZeros: false, joinsOps: false },
  "+ joined ops": { dtype: "bfloat16", skipZeros: false },
  "+ exact zeros": { dtype: "bfloat16", skipZeros: true },
  "+ int8": { dtype: "int8", skipZeros: true },
  "+ int4": { dtype: "int4", skipZeros: true },
};

/** Kinds of intervention, and what sets each up; the plain decode is what they are compared with. */
const variants = {
  plain: () => undefined,
  "edit on one layer": (model) => {
    const direction = Float32Array.from({ length: model.config.hiddenSize }, (_, i) => Math.sin(i) / 100);
    return model.edit("layers.1.out", edits.add(direction));
  },
  "watch on every layer": (model) => model.watch("layers.*.out", () => {}),
  "one break in JavaScript": (model) => model.hook("layers.1.out", () => {}),
};

export class OurSide {
  #models = new Map();
  #prefixes = new Map();

  constructor(shape, chunkTokens, options) {
    this.shape = shape;
    this.chunkTokens = chunkTokens;
    this.options = options;
  }

  model(rung) {
    const { dtype, skipZeros } = rungs[rung];
    const key = `${dtype} ${skipZeros}`;
    if (!this.#models.has(key)) {
      const model = randomModel(this.shape, { ...this.options, dtype, skipZeros, kvContexts: 1 });
      model.runtime.chunkTokens = this.chunkTokens;
      this.#models.set(key, model);
    }
    return this.#models.get(key);
  }

  /** Gives back the keys and values of the prompts that were prepared. */
  forget() {
    for (const prefix of this.#prefixes.values()) prefix.release();
    this.#prefixes.clear();
  }

  /** Runs a prompt of `context` tokens on the models of these rungs, whose tokens then follow it. */
  async prepare(names, context) {
    this.forget();
    for (const model of new Set(names.map((name) => this.model(name))))
      this.#prefixes.set(model, await model.prefill(promptIds(model, context, 0)));
  }

  /** Seconds and bytes of a token. */
  async decode(rung, tokens, variant = "plain") {
    const model = this.model(rung);
    const prefix = this.#prefixes.get(model);
    const handle = variants[variant](model);
    model.device.joinsOps = rungs[rung].joinsOps ?? true;
    const generate = async (count) => {
      const kv = prefix.fork();
      try {
        const options = { kv, maxNewTokens: count, stopAtEos: false, ...rungs[rung].generate };
        return await timed(() => model.generate([7], options).done);
      } finally {
        kv.release();
      }
    };
    try {
      await generate(3); // the plan is recorded, and captured as a graph
      // The first token ends the prompt: that pass is a prompt's, without a graph. The time of the others is what they add.
      const first = await generate(1);
      const before = await model.device.weightTraffic();
      const all = await generate(1 + tokens);
      const after = await model.device.weightTraffic();
      const leftOut = (after.skipped - before.skipped) / (1 + tokens);
      const seconds = all.seconds - first.seconds;
      return { seconds: seconds / tokens, bytes: bytesRead(model, prefix.length + tokens / 2, leftOut) };
    } finally {
      handle?.dispose();
    }
  }

  get variants() {
    return Object.keys(variants);
  }

  /** Seconds of a prompt. */
  async prefill(rung, tokens, round) {
    const model = this.model(rung);
    const { seconds, result } = await timed(() => model.prefill(promptIds(model, tokens, round)));
    result.release();
    return seconds;
  }
}
