/** Ways to show things in a notebook: figures, tables, progress and the parts of a model. */
export type { BarOptions, BarSeries } from "./bar.js";
export type { ChartOptions, Numbers } from "./chart.js";
export { type Display, type DisplayOptions, display } from "./display.js";
export type { Figure, Layout, Trace } from "./figure.js";
export type { HeatmapOptions, Matrix } from "./heatmap.js";
export type { Counted, HistogramOptions } from "./histogram.js";
export type { LineOptions, LineSeries } from "./line.js";
export type { Displayable, MimeBundle } from "./mime.js";
export type { ModuleTree } from "./module_tree.js";
export type { Progress, ProgressOptions } from "./progress.js";
export type { TableContent } from "./table.js";
