import { PersimmonError } from "../errors.js";
import { Attention } from "../model/attention.js";
import { DecoderLayer } from "../model/decoder_layer.js";
import { MLP } from "../model/mlp.js";
import { Persimmon } from "../model/persimmon.js";
import { Module } from "../nn/module.js";

interface Fingerprint {
  values: readonly unknown[];
  /** Places of modules that the walk had been in before. */
  repeated: ReadonlySet<number>;
}

const latest = new WeakMap<Persimmon, Fingerprint>();

/**
 * What a recorded plan depends on: all modules of a tree by identity, and their own properties: tensors by identity, numbers
 * and the like by value. It is taken before each pass, so no swap and no changed setting can be missed; for the 36 layers
 * of the 8B it compares about 1,200 values. While nothing has changed it is the same object.
 * @throws PersimmonError MODULE_INVALID where a part of a model is no module
 */
export function fingerprint(model: Persimmon): readonly unknown[] {
  let found = latest.get(model);
  if (found === undefined || !holdsStill(model, found)) {
    found = take(model);
    latest.set(model, found);
  }
  return found.values;
}

/** For models that are disposed of: forgets the modules that were found. */
export function forgetFingerprint(model: Persimmon): void {
  latest.delete(model);
}

/** Takes the walk of `take` again, beside the values that it found, and makes nothing: it comes before each token. */
function holdsStill(model: Persimmon, { values, repeated }: Fingerprint): boolean {
  let next = 0;
  const isSame = (value: unknown): boolean => {
    const place = next++;
    if (!Object.is(value, values[place])) return false;
    return !(value instanceof Module) || repeated.has(place) || hasSameParts(value);
  };
  const hasSameParts = (module: object): boolean => {
    for (const name in module) {
      const value = (module as Parts)[name];
      if (!isSame(Array.isArray(value) ? value.length : value)) return false;
      if (!Array.isArray(value)) continue;
      for (let index = 0; index < value.length; index++) if (!isSame(value[index])) return false;
    }
    return true;
  };
  return isSame(model) && next === values.length;
}

function take(model: Persimmon): Fingerprint {
  const seen = new Set<object>();
  const values: unknown[] = [];
  const repeated = new Set<number>();
  const visit = (module: object, path: string): void => {
    values.push(module);
    if (seen.has(module)) {
      repeated.add(values.length - 1);
      return;
    }
    seen.add(module);
    checkParts(module, path);
    if (module instanceof Persimmon) checkLayers(module.layers, module.config.numHiddenLayers);
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
  return { values, repeated };
}

export function sameFingerprint(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a === b) return true;
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

/** @param most for how many the KV cache was made */
function checkLayers(layers: unknown, most: number): void {
  if (!Array.isArray(layers)) {
    throw new PersimmonError("MODULE_INVALID", `layers must be a list of Modules, got ${kindOf(layers)}`);
  }
  // By index: `entries` sees holes as well.
  if (layers.length > most) {
    throw new PersimmonError(
      "MODULE_INVALID",
      `the model has ${layers.length} layers now, but its KV cache was made for ${most}: replace a layer or take one out, none can be added`,
    );
  }
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
