import { basename } from "node:path";
import { jupyterDisplay, type MimeBundle } from "./mime.js";
import { moduleTree } from "./module_tree.js";
import { grouped } from "./numbers.js";

/** What of a model stands above its tree. */
export interface ModelFacts {
  source: string;
  device: { readonly kind: string };
  maxLength: number;
}

/** A model as a notebook shows it. The folder's name only: a path says more about its owner's machine than a reader needs. */
export function modelBundle(model: object, { source, device, maxLength }: ModelFacts): MimeBundle {
  const tree = moduleTree(
    model,
    `Persimmon “${basename(source)}” on ${device.kind}, context ${grouped(maxLength)}:`,
  );
  return tree[jupyterDisplay]();
}
