import { jupyterDisplay, type MimeBundle } from "../display/mime.js";
import { percent } from "../display/numbers.js";
import { tableHtml } from "../display/table_html.js";

/** The middle and the spread of what the rounds gave. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

export interface ModelSpeedFigures {
  /** Where the model came from. */
  model: string;
  dtype: string;
  threads: number;
  instructionSet: string;
  /** Name of the GPU; absent on a CPU. */
  gpu?: string;
  /** As in `loadModel`. */
  matmulPrecision: string;
  prompt: number;
  generate: number;
  rounds: number;
  decodeTokensPerSecond: Spread;
  prefillTokensPerSecond: Spread;
  /** Share of the squared ReLUs that is zero, over the prompt. */
  zeros: number;
  /**
   * Bytes of weights, keys and values that one decoded token reads, at the middle of the generation; without what the zeros
   * save where they are left out.
   */
  bytesPerToken: number;
  /** Bytes of weights that a decoded token leaves out because they belong to zeros, counted while it was decoded. */
  leftOutPerToken: number;
  /** bytesPerToken · tokens/s. */
  decodeGBPerSecond: Spread;
  /** Read bandwidth of the same threads, probed before and after each stretch of tokens. */
  readBandwidthGBPerSecond: Spread;
  /** Each stretch's GB/s over the mean of the two probes around it. */
  shareOfBandwidth: Spread;
}

/** What `modelSpeed` measured. It shows itself as a table; `JSON.stringify` gives the figures. */
export class ModelSpeed {
  constructor(readonly figures: ModelSpeedFigures) {}

  /** A heading, and the figures as text, one line each. */
  lines(): string[] {
    const { model, dtype, threads, instructionSet, gpu, matmulPrecision, prompt, generate, rounds } =
      this.figures;
    const device = gpu ?? `${threads} threads`;
    const precision = matmulPrecision === "highest" ? "" : `, ${matmulPrecision} precision`;
    return [
      `${model}, ${dtype}, ${device}, ${instructionSet}${precision}; prompt ${prompt}, generate ${generate}, ${rounds} rounds; medians`,
      ...this.rows().map(
        ({ name, value, range }) => `${name.padEnd(16)} ${value}${range && `   (${range})`}`,
      ),
    ];
  }

  toJSON(): ModelSpeedFigures {
    return this.figures;
  }

  [jupyterDisplay](): MimeBundle {
    const [heading] = this.lines();
    const values = this.rows().map(({ name, value, range }) => [name, value, range]);
    return {
      "text/html": `<div><p>${heading}</p>${tableHtml({ columns: ["", "median", "range"], values, shape: [values.length, 3] })}</div>`,
      "text/plain": this.lines().join("\n"),
    };
  }

  private rows(): { name: string; value: string; range: string }[] {
    const { figures: f } = this;
    const row = (name: string, { median, min, max }: Spread, unit: string, scale = 1) => ({
      name,
      value: `${(median * scale).toFixed(1)} ${unit}`,
      range: `${(min * scale).toFixed(1)} to ${(max * scale).toFixed(1)}`,
    });
    const left = f.leftOutPerToken > 0 ? ", not read" : "";
    return [
      row("decode", f.decodeTokensPerSecond, "tokens/s"),
      row("prefill", f.prefillTokensPerSecond, "tokens/s"),
      { name: "zeros", value: `${percent(f.zeros)} of the squared ReLUs${left}`, range: "" },
      {
        name: "bytes per token",
        value: `${(f.bytesPerToken / 1e9).toFixed(3)} GB, and ${(f.leftOutPerToken / 1e9).toFixed(3)} GB left out`,
        range: "",
      },
      row("decode reads", f.decodeGBPerSecond, "GB/s"),
      row("machine reads", f.readBandwidthGBPerSecond, "GB/s"),
      row("share", f.shareOfBandwidth, "%", 100),
    ];
  }
}
