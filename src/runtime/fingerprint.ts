import { PersimmonError } from "../errors.js";
import { Attention } from "../model/attention.js";
import { DecoderLayer } from "../model/decoder_layer.js";
import { MLP } from "../model/mlp.js";
import { Persimmon } from "../model/persimmon.js";
import { Module } from "../nn/module.js";

/**
 * What a recorded plan depends on: all modules of a tree by identity, and their own properties: tensors by identity, numbers
 * and the like by value. It is taken before each pass, so no swap and no changed setting can be missed; for the 36 layers
 * of the 8B it compares about 1,500 values.
 * @throws PersimmonError MODULE_INVALID where a part of a model is no module
 */
export function fingerprint(model: Persimmon): unknown[] {
  const seen = new Set<object>();
  const values: unknown[] = [];
  const visit = (module: object, path: string): void => {
    values.push(module);
    if (seen.has(module)) return;
    seen.add(module);
    checkParts(module, path);
    if (module instanceof Persimmon) checkLayers(module.layers);
    for (const [name, value] of Object.entries(module)) {
      const children = Array.isArray(value) ? value : [value];
      if (Array.isArray(value)) values.push(value.length);
      for (const [index, child] of children.entries()) {
        const place = `${path === "" ? "" : `${path}.`}${name}${Array.isArray(value) ? `.${index}` : ""}`;
        if (child instanceof Module) visit(child, place);
        else values.push(child);
      }
    }
  };
  visit(model, "");
  return values;
}

export function sameFingerprint(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

type Parts = Record<string, unknown>;

/** The properties of the model's own classes that must be modules. */
function partsOf(module: object): string[] {
  if (module instanceof Persimmon) return ["embedTokens", "finalLayernorm", "lmHead"];
  if (module instanceof DecoderLayer) return ["inputLayernorm", "selfAttn", "postAttentionLayernorm", "mlp"];
  if (module instanceof Attention) return ["queryKeyValue", "dense"];
  if (module instanceof MLP) return ["denseHTo4h", "dense4hToH"];
  return [];
}

function checkParts(module: object, path: string): void {
  for (const name of partsOf(module)) {
    expectModule((module as Parts)[name], path === "" ? name : `${path}.${name}`);
  }
}

function checkLayers(layers: unknown): void {
  if (!Array.isArray(layers)) {
    throw new PersimmonError("MODULE_INVALID", `layers must be a list of Modules, got ${kindOf(layers)}`);
  }
  // By index: `entries` sees holes as well.
  for (const [index, layer] of layers.entries()) expectModule(layer, `layers.${index}`);
}

function expectModule(part: unknown, place: string): void {
  if (part instanceof Module) return;
  throw new PersimmonError(
    "MODULE_INVALID",
    `${place} must be a Module, got ${kindOf(part)}: extend nn.Module (composed of ops) or nn.HostModule (plain TypeScript)`,
  );
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "object" ? value.constructor.name : typeof value;
}
