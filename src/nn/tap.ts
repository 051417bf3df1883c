import type { Tensor } from "../tensor/tensor.js";
import { currentPath } from "./path.js";

/** Someone who looks at values inside a running forward pass. */
export interface Observer {
  /** Whether the site is wanted; sites that are not may never be computed at all. */
  wants(site: string): boolean;
  /** Called with each wanted value, in the order of the pass. */
  see(site: string, value: Tensor): void;
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

/** Marks an inner value as the site `name` of the module that runs, such as `act` in an MLP, and returns it. */
export function tap(name: string, value: Tensor): Tensor {
  if (observer !== undefined) {
    const site = siteName(name);
    if (observer.wants(site)) observer.see(site, value);
  }
  return value;
}

/** Whether anyone looks at the site `name` of the module that runs. */
export function isTapped(name: string): boolean {
  return observer?.wants(siteName(name)) ?? false;
}
