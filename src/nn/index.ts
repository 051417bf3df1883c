/** The modules that models are built of, and what authors of their own modules need. */
export { Embedding } from "./embedding.js";
export { HostModule, host } from "./host.js";
export { LayerNorm } from "./layer_norm.js";
export { Linear } from "./linear.js";
export { Module } from "./module.js";
export type { At, HostFunction } from "./runner.js";
export { tap } from "./tap.js";
