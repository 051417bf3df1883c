import type { Tensor } from "../tensor/tensor.js";
import { currentPath } from "./path.js";

/** Someone who looks at values inside a running forward pass, or changes them. */
export interface Observer {
  /** Whether the site is looked at or changed; sites that are not may never be computed at all. */
  wants(site: string): boolean;
  /** Whether the pass may go on with another value at the site. */
  changes(site: string): boolean;
  /** Called with each wanted value, in the order of the pass: the value that the pass goes on with. */
  visit(site: string, value: Tensor): Tensor;
}

let observer: Observer | undefined;

/** Runs `f` with `who` looking on. */
export function observed<T>(who: Observer | undefined, f: () => T): T {
  const outer = observer;
  observer = who;
  try {
    return f();
  } finally {
    observer = outer;
  }
}

/** Who looks on now. */
export function currentObserver(): Observer | undefined {
  return observer;
}

/** Site names are shorter than property names in three places. */
const siteOfProperty: Record<string, string> = {
  selfAttn: "attn",
  embedTokens: "embed",
  finalLayernorm: "finalNorm",
};

function siteName(name: string): string {
  const path = currentPath();
  if (path === "") return name;
  const parts = path.split(".").map((part) => siteOfProperty[part] ?? part);
  return `${parts.join(".")}.${name}`;
}

/**
 * Marks an inner value as the site `name` of the module that runs, such as `act` in an MLP, and returns what the pass goes
 * on with: the value itself unless an edit or a hook changes it.
 */
export function tap(name: string, value: Tensor): Tensor {
  if (observer === undefined) return value;
  const site = siteName(name);
  return observer.wants(site) ? observer.visit(site, value) : value;
}

/** Whether anyone looks at or changes the site `name` of the module that runs. */
export function isTapped(name: string): boolean {
  return observer?.wants(siteName(name)) ?? false;
}

/** Whether the site `name` of the module that runs may be changed. */
export function isChanged(name: string): boolean {
  return observer?.changes(siteName(name)) ?? false;
}
