import type { DataFrame } from "danfojs-node";
import { escapeHtml } from "../display/html.js";
import { jupyterDisplay, type MimeBundle } from "../display/mime.js";
import { short } from "../display/numbers.js";
import { table } from "../display/table.js";
import { readablePiece, tokenText } from "../display/token_text.js";
import { checkOptionNames, PersimmonError } from "../errors.js";
import type { LanguageModel, Prompt } from "../language_model.js";
import { optionChecks } from "../option_checks.js";
import { encodeTexts, mlpPass, type PassOptions, passOptionNames } from "./mlp_pass.js";

export interface NeuronOptions extends PassOptions {
  layer: number;
  neuron: number;
  /** How many of the strongest places are kept; 8. */
  top?: number;
  /** Tokens shown before and after each; 8. */
  context?: number;
}

/** A place where a neuron is strong, with the activations around it. */
export interface NeuronExample {
  /** Index of the text, and the token's position in it. */
  text: number;
  position: number;
  activation: number;
  pieces: string[];
  activations: number[];
}

/** What one token of the vocabulary gave a neuron. */
export interface NeuronToken {
  token: string;
  /** Share of the neuron's activation, summed over the texts, that falls on this token. */
  share: number;
  /** Mean activation over all occurrences. */
  mean: number;
  /** Occurrences for which it was not zero. */
  fired: number;
  /** All occurrences. */
  seen: number;
}

const blue = [0, 114, 178] as const;

/** What makes one neuron fire. */
export class NeuronExamples {
  constructor(
    readonly layer: number,
    readonly neuron: number,
    /** Share of tokens for which it was not zero. */
    readonly rate: number,
    /** The strongest places, the strongest first. */
    readonly examples: readonly NeuronExample[],
    /** Tokens for which it fired at least once, by their share of all its activation. */
    readonly tokens: readonly NeuronToken[],
  ) {}

  /** The tokens as a table. */
  table(count = 10): DataFrame {
    return table(
      this.tokens
        .slice(0, count)
        .map(({ share, ...row }) => ({ ...row, "share (%)": Number((100 * share).toFixed(1)) })),
    );
  }

  [jupyterDisplay](): MimeBundle {
    const heading = `Neuron ${this.neuron} of layer ${this.layer} fires for ${(100 * this.rate).toFixed(2)} % of the tokens`;
    const strongest = this.examples[0]?.activation ?? 1;
    const blocks = this.examples.map(({ activation, pieces, activations }) => {
      const tokens = pieces.map((piece, at) => ({
        piece,
        amount: activations[at] / strongest,
        hover: `activation ${short(activations[at])}`,
      }));
      return tokenText(tokens, blue, { breakLines: false, label: activation.toFixed(2) });
    });
    const lines = this.examples.map(
      ({ activation, pieces }) => `${short(activation)}  ${pieces.map(readablePiece).join("")}`,
    );
    return {
      "text/html": `<div><b>${escapeHtml(heading)}</b>${blocks.join("")}</div>`,
      "text/plain": [heading, ...lines].join("\n"),
    };
  }
}

/**
 * The places in texts at which a neuron of an MLP is strongest.
 * @throws PersimmonError INDEX_OUT_OF_RANGE for a layer or a neuron that the model does not have, OPTION_INVALID, OPTION_UNKNOWN
 */
export async function neuronExamples(
  model: LanguageModel,
  texts: Prompt | readonly Prompt[],
  options: NeuronOptions,
): Promise<NeuronExamples> {
  checkOptionNames("neuronExamples", options, [...passOptionNames, "layer", "neuron", "top", "context"]);
  const { layer, neuron, top = 8, context = 8 } = options;
  const { numHiddenLayers, intermediateSize } = model.config;
  checkIndex("layer", layer, numHiddenLayers);
  checkIndex("neuron", neuron, intermediateSize);
  const invalid = (message: string) => new PersimmonError("OPTION_INVALID", message);
  optionChecks(invalid).whole("neuronExamples: top", top, 0);
  optionChecks(invalid).whole("neuronExamples: context", context, 0);
  const encoded = encodeTexts(model, texts, options.bos);
  const activations = encoded.map((ids) => new Float32Array(ids.length));
  const site = `layers.${layer}.mlp.act` as const;
  for await (const chunk of mlpPass(model, encoded, [site], {
    ...options,
    label: `Neuron ${layer}.${neuron}`,
  })) {
    const values = chunk.values.get(site)!;
    for (let row = 0; row < chunk.ids.length; row++) {
      activations[chunk.text][chunk.start + row] = values[row * intermediateSize + neuron];
    }
  }
  const places = activations.flatMap((values, text) =>
    Array.from(values, (activation, position) => ({ text, position, activation })),
  );
  const fired = places.filter(({ activation }) => activation > 0);
  const examples = fired
    .sort((a, b) => b.activation - a.activation)
    .slice(0, top)
    .map((place): NeuronExample => {
      const from = Math.max(0, place.position - context);
      const to = place.position + context + 1;
      return {
        ...place,
        pieces: encoded[place.text].slice(from, to).map((id) => model.pieceOf(id)),
        activations: Array.from(activations[place.text].slice(from, to)),
      };
    });
  return new NeuronExamples(
    layer,
    neuron,
    fired.length / places.length,
    examples,
    byToken(model, encoded, activations),
  );
}

function byToken(
  model: LanguageModel,
  texts: readonly number[][],
  activations: readonly Float32Array[],
): NeuronToken[] {
  const sums = new Map<number, { sum: number; fired: number; seen: number }>();
  let total = 0;
  for (const [text, ids] of texts.entries()) {
    for (const [position, id] of ids.entries()) {
      const entry = sums.get(id) ?? { sum: 0, fired: 0, seen: 0 };
      const value = activations[text][position];
      total += value;
      sums.set(id, {
        sum: entry.sum + value,
        fired: entry.fired + (value > 0 ? 1 : 0),
        seen: entry.seen + 1,
      });
    }
  }
  return [...sums]
    .filter(([, { fired }]) => fired > 0)
    .map(([id, { sum, fired, seen }]) => ({
      token: readablePiece(model.pieceOf(id)).trim() || "␣",
      share: sum / total,
      mean: sum / seen,
      fired,
      seen,
    }))
    .sort((a, b) => b.share - a.share);
}

function checkIndex(name: string, value: unknown, count: number): void {
  const invalid = (message: string) => new PersimmonError("INDEX_OUT_OF_RANGE", message);
  optionChecks(invalid).whole(name, value, 0, count - 1);
}
