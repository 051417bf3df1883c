import { PersimmonError } from "../errors.js";
import { currentPath, resumeHere } from "../nn/path.js";
import { type HostFunction, type Runner, withRunner } from "../nn/runner.js";
import { currentObserver, type Observer, observed } from "../nn/tap.js";
import type { Device } from "../tensor/device.js";
import * as ops from "../tensor/ops/index.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";
import { HookRun } from "./hook_run.js";
import type { Intervention, Rows } from "./interventions.js";
import type { ForwardPlan, Watched } from "./plan.js";
import { atSite, type PassRows } from "./rows.js";
import type { Site } from "./sites.js";

/** Someone who takes values out of one eager pass, as tensors. */
export interface PassObserver {
  wants(site: string): boolean;
  see(site: string, value: Tensor): void;
}

export interface PassSettings {
  device: Device;
  interventions: ReadonlyMap<string, readonly Intervention[]>;
  observer: PassObserver | undefined;
  breakEverywhere: boolean;
  /** Names the first site that holds a NaN or an infinite value after an edit or a hook. */
  checkFinite: boolean;
  /** Modules that read values on the host: they break a plan. */
  hostReaders: WeakSet<object>;
}

/** A counter of the NaN and infinite values at a site. */
export interface Check {
  site: string;
  count: Tensor;
}

/** What a part of a pass has taken out of it. */
class Taken {
  readonly watched: Watched[] = [];
  readonly checks: Check[] = [];

  /** Forgets all of it; returns the tensors. */
  clear(): Tensor[] {
    return [
      ...this.watched.splice(0).map(({ value }) => value),
      ...this.checks.splice(0).map(({ count }) => count),
    ];
  }
}

/**
 * One run of a model's modules: puts edits, hooks and watches where they belong. With a plan it records as it goes, and
 * JavaScript in the middle ends a segment and begins the next one; what it does is the same.
 */
export class Pass implements Observer, Runner {
  /** A module that is not known as one has read a value: what was recorded cannot be used again. */
  foundHostReader = false;
  readonly #settings: PassSettings;
  readonly #plan: ForwardPlan | undefined;
  readonly #device: { rows: Rows; logitRows: Rows };
  readonly #modules: object[] = [];
  /** What the parts of the pass have taken; a part that runs anew in each replay takes anew. */
  readonly #taken: Taken[] = [new Taken()];
  #now = this.#taken[0];
  #rows: PassRows;

  constructor(
    settings: PassSettings,
    rows: PassRows,
    device: { rows: Rows; logitRows: Rows },
    plan?: ForwardPlan,
  ) {
    this.#settings = settings;
    this.#rows = rows;
    this.#device = device;
    this.#plan = plan;
  }

  wants(site: string): boolean {
    const { interventions, observer, breakEverywhere } = this.#settings;
    // A pattern that nobody looks at is never computed, not even to break there.
    const isBreak = breakEverywhere && !site.endsWith(".pattern");
    return isBreak || interventions.has(site) || (observer?.wants(site) ?? false);
  }

  changes(site: string): boolean {
    const list = this.#settings.interventions.get(site);
    return list?.some(({ kind }) => kind === "edit" || kind === "hook") ?? false;
  }

  visit(site: string, value: Tensor): Tensor {
    const list = this.#settings.interventions.get(site) ?? [];
    let x = value;
    for (const intervention of list) {
      if (intervention.kind === "edit") {
        const rows = site === "logits" ? this.#device.logitRows : this.#device.rows;
        x = intervention.apply(site as Site, x, rows);
      } else if (intervention.kind === "hook") {
        x = this.#hook(site, x, intervention);
      } else {
        continue;
      }
      if (this.#settings.checkFinite) this.#check(site, x);
    }
    for (const intervention of list) if (intervention.kind === "count") intervention.count(site as Site, x);
    if (list.some(({ kind }) => kind === "watch")) this.#watch(site, x);
    const { observer } = this.#settings;
    if (observer?.wants(site)) observer.see(site, x);
    if (this.#settings.breakEverywhere && this.#plan?.isRecording) this.#cut();
    return x;
  }

  /** Of a rank whose values another one sees: cuts the plan where `visit` does, so that all ranks have the same segments. */
  follow(site: string): void {
    const { interventions, breakEverywhere } = this.#settings;
    if (!this.#plan?.isRecording) return;
    for (const { kind } of interventions.get(site) ?? []) if (kind === "hook") this.#cut();
    if (breakEverywhere) this.#cut();
  }

  run<In extends unknown[], Out>(module: object, args: In, forward: (...args: In) => Out): Out {
    this.#modules.push(module);
    try {
      const breaks = this.#plan?.isRecording && this.#settings.hostReaders.has(module);
      return breaks ? (this.#breakAround(module, args, forward as never) as Out) : forward(...args);
    } finally {
      this.#modules.pop();
    }
  }

  host(
    x: Tensor,
    f: HostFunction,
    about: { label: string; reason: string; width: number; site: string },
  ): Tensor {
    const [rows, width] = x.shape;
    const run = (values: Float32Array, passRows: PassRows): Float32Array => {
      const out = new Float32Array(rows * about.width);
      f(values, out, { rows, width }, atSite(about.site, passRows));
      return out;
    };
    return this.#javascript(x, [rows, about.width], about, run);
  }

  /** The innermost module has read a value while it was recorded. */
  hostRead(): void {
    const module = this.#modules.at(-1);
    if (!this.#plan?.isRecording || module === undefined) return;
    this.#settings.hostReaders.add(module);
    this.foundHostReader = true;
  }

  /** Copies of the values that are watched, in the order of the pass. */
  get watched(): readonly Watched[] {
    return this.#taken.flatMap(({ watched }) => watched);
  }

  /** The counters of NaN and infinite values, in the order of the pass. */
  get checks(): readonly Check[] {
    return this.#taken.flatMap(({ checks }) => checks);
  }

  #hook(site: string, x: Tensor, hook: Extract<Intervention, { kind: "hook" }>): Tensor {
    const run = new HookRun(site, x.shape, hook.run);
    const about = {
      label: `${site}: hook`,
      reason: "a hook runs JavaScript; an edit stays in the plan",
      site,
    };
    return this.#javascript(x, x.shape, about, (values, rows) => run.call(values, rows));
  }

  /** Runs JavaScript on a value: at once, and again at this place of each replay. */
  #javascript(
    x: Tensor,
    shape: readonly number[],
    about: { label: string; reason: string },
    run: (values: Float32Array, rows: PassRows) => Float32Array,
  ): Tensor {
    const { device } = this.#settings;
    const plan = this.#plan;
    if (!plan?.isRecording) return Tensor.from(device, run(x.dataSync(), this.#rows), shape);
    // A copy: the value itself may share its memory with others before and after this place.
    const input = plan.hold(x.copy());
    plan.end();
    const output = plan.hold(Tensor.from(device, run(input.dataSync(), this.#rows), shape));
    plan.breaks.push({
      ...about,
      run: async (rows) => output.write(run(await input.data(), rows)),
    });
    plan.begin();
    return output.view();
  }

  /** Ends the segment and begins another, with nothing between them. */
  #cut(): void {
    this.#plan?.end();
    this.#plan?.breaks.push(undefined);
    this.#plan?.begin();
  }

  /** A module that reads values on the host runs as JavaScript between two segments, each time anew. */
  #breakAround(module: object, args: unknown[], forward: (...args: unknown[]) => unknown): Tensor {
    const plan = this.#plan as ForwardPlan;
    const held = args.map((arg) => (arg instanceof Tensor ? plan.hold(arg.view()) : arg));
    // Handles for one run each: a module may return what it was given.
    const given = () => held.map((arg) => (arg instanceof Tensor ? arg.view() : arg));
    const resume = resumeHere();
    const observer = currentObserver();
    const path = currentPath();
    plan.end();
    const inside = new Taken();
    this.#taken.push(inside);
    const execute = () => {
      this.#now = inside;
      return observed(observer, () =>
        withRunner(this, () => resume(() => scope(() => forward(...given())))),
      ) as Tensor;
    };
    const first = execute();
    if (!(first instanceof Tensor)) {
      throw new PersimmonError(
        "MODULE_INVALID",
        `${path} reads a value on the host and must then return one tensor, got ${typeof first}`,
      );
    }
    const output = plan.hold(first.copy());
    this.#now = new Taken();
    this.#taken.push(this.#now);
    plan.breaks.push({
      label: `${path}: ${module.constructor.name || "class without a name"}`,
      reason: "reads a value in forward(); use host(), a HostModule or an op",
      run: (rows) => {
        this.#rows = rows;
        for (const tensor of inside.clear()) plan.drop(tensor);
        using result = execute();
        output.copyFrom(result);
      },
    });
    plan.begin();
    return output.view();
  }

  #watch(site: string, x: Tensor): void {
    this.#now.watched.push({ site, value: this.#hold(x.copy()) });
  }

  #check(site: string, x: Tensor): void {
    const { device } = this.#settings;
    const count = Tensor.from(device, Int32Array.of(0));
    ops.countNonFinite(count, x);
    this.#now.checks.push({ site, count: this.#hold(count) });
  }

  #hold(tensor: Tensor): Tensor {
    return this.#plan === undefined ? tensor.keep() : this.#plan.hold(tensor);
  }
}
