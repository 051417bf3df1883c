import { basename } from "node:path";
import { jupyterDisplay, type MimeBundle } from "./mime.js";
import { moduleTree } from "./module_tree.js";
import { grouped } from "./numbers.js";

/** What of a model stands above its tree. */
export interface ModelFacts {
  source: string;
  device: { readonly kind: string };
  maxLength: number;
  /** Edits, hooks, watches and counters in force. */
  interventions: readonly { readonly kind: string }[];
}

/** A model as a notebook shows it. The folder's name only: a path says more about its owner's machine than a reader needs. */
export function modelBundle(model: object, facts: ModelFacts): MimeBundle {
  const { source, device, maxLength, interventions } = facts;
  const about = [
    `Persimmon “${basename(source)}” on ${device.kind}`,
    `context ${grouped(maxLength)}`,
    ...(interventions.length === 0 ? [] : [`${countsText(interventions)} in force (model.interventions)`]),
  ];
  return moduleTree(model, `${about.join(", ")}:`)[jupyterDisplay]();
}

const namesOfKinds = [
  ["edit", "edit", "edits"],
  ["hook", "hook", "hooks"],
  ["watch", "watch", "watches"],
  ["count", "counter", "counters"],
] as const;

/** Such as `2 edits + 1 hook`. */
function countsText(interventions: ModelFacts["interventions"]): string {
  const counts = namesOfKinds.map(([kind, one, several]) => {
    const count = interventions.filter((each) => each.kind === kind).length;
    return count === 0 ? undefined : `${count} ${count === 1 ? one : several}`;
  });
  return counts.filter((count) => count !== undefined).join(" + ");
}
