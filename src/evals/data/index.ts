export { type Preset, type PresetSplits, presetSplits, presets } from "./presets.js";
export { type EvalData, type ReadItemsOptions, readItems } from "./read_items.js";
