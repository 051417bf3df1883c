/**
 * The notebooks that check-lab writes and runs.
 * @typedef {{ cell_type: "code", id: string, source: string, metadata: object, outputs: any[], execution_count: number | null }} Cell
 */

/**
 * @param {string[]} sources
 * @returns {string} a notebook without outputs
 */
export function notebook(sources) {
  const cells = sources.map((source, index) => ({
    cell_type: "code",
    id: `cell-${index}`,
    metadata: {},
    execution_count: null,
    outputs: [],
    source,
  }));
  const kernelspec = { name: "persimmon", display_name: "TypeScript (Persimmon)", language: "typescript" };
  return JSON.stringify({ cells, metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 }, null, 1);
}

/** How many steps the progress bar of the picture has, and how many table rows and compile errors it shows. */
export const STEPS = 100;
export const TABLE_ROWS = 6;
export const COMPILE_ERRORS = 2;

/** A figure, a table, a compile error, and a progress bar that is half-way for some seconds. */
export const PICTURE = [
  `import { display, loadModel, mlpSparsity } from "persimmon-lab";

const model = await loadModel();
const stories = ["Once upon a time, there was a happy girl.", "The dog ran to the park and found a ball."];
const zeros = await mlpSparsity(model, stories, { progress: false });
zeros.layerFigure()`,
  `Array.from(zeros.zeroFraction, (share, layer) => ({
  layer,
  "zeros (%)": Number((100 * share).toFixed(1)),
  "never active": zeros.neverActive(layer),
  module: model.layers[layer].mlp.constructor.name,
}))`,
  `const width: string = model.config.hiddenSize;
const share = zeros.meanZeroFractoin;`,
  `using bar = display.progress({ total: ${STEPS}, label: "Scoring stories", unit: "stories" });
for (let i = 0; i < ${STEPS}; i++) {
  await model.logprobs(stories[i % 2]);
  await new Promise((resolve) => setTimeout(resolve, i < ${STEPS / 2} ? 20 : 400));
  bar.advance();
}`,
];

/** A figure that changes under its display id, and one so large that its HTML is compressed. */
export const UPDATES = [
  `const figure = (traces: number) => ({
  data: Array.from({ length: traces }, (_, k) => ({ type: "scatter", y: [k, k + 1, k] })),
  layout: { title: { text: traces + " traces" }, height: 300 },
});
display(figure(1), { id: "live" });`,
  `display(figure(3), { id: "live", update: true });`,
  `({
  data: [{ type: "scatter", mode: "lines", y: Array.from({ length: 20000 }, (_, i) => Math.sin(i / 500)) }],
  layout: { title: { text: "20,000 points" }, height: 300 },
})`,
];
