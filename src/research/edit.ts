import { PersimmonError, valueText } from "../errors.js";
import type { Intervention, Rows } from "../runtime/interventions.js";
import type { Runtime } from "../runtime/runtime.js";
import type { Site } from "../runtime/sites.js";
import * as ops from "../tensor/ops/index.js";
import { Tensor } from "../tensor/tensor.js";
import { columnsOf, operandOf, rowOfPosition } from "./edit_operand.js";
import { editText } from "./edit_text.js";
import { checkFilter, type EditFilter, type EditSpec } from "./edits.js";
import { commonParts } from "./hook.js";
import { InterventionHandle } from "./intervention_handle.js";

export type { EditFilter, EditSpec } from "./edits.js";

/** What an edit needs on the device for one site. */
interface SiteOperands {
  columns: Tensor | undefined;
  /** [rows, columns] */
  operand: Tensor | undefined;
  rowOf: Tensor | undefined;
}

/** An edit at work, until it is disposed of. */
export class Edit extends InterventionHandle {
  readonly #parameters: Tensor;
  readonly #kind: EditSpec["kind"];
  readonly #limit: number;
  readonly #changed: () => void;
  #scale: number;

  /** For `makeEdit`. */
  constructor(
    runtime: Runtime,
    site: Site,
    intervention: Intervention,
    parameters: Tensor,
    { kind, strength, limit = 0 }: EditSpec,
  ) {
    super(runtime, site, intervention);
    this.#changed = () => runtime.interventions.strengthChanged();
    this.#parameters = parameters;
    this.#kind = kind;
    this.#scale = strength;
    this.#limit = limit;
  }

  /** The strength: the factor of a direction, the value that is set, the lower limit of a clamp. */
  get scale(): number {
    return this.#scale;
  }

  /**
   * Takes effect with the next pass, also in the middle of a generation; four bytes are written, nothing is recorded anew.
   * Throws `EDIT_INVALID` unless it is a finite number; the lower limit of a clamp may be −Infinity, and not above the upper one.
   */
  set scale(scale: number) {
    const isClamp = this.#kind === "clamp";
    if (!Number.isFinite(scale) && !(isClamp && scale === Number.NEGATIVE_INFINITY)) {
      throw new PersimmonError("EDIT_INVALID", `edit.scale must be a finite number, got ${valueText(scale)}`);
    }
    if (isClamp && scale > this.#limit) {
      throw new PersimmonError(
        "EDIT_INVALID",
        `edit.scale of a clamp is its lower limit: ${scale} is above the upper one, ${this.#limit}`,
      );
    }
    if (!this.isInForce) {
      throw new PersimmonError("EDIT_DISPOSED", "this edit was disposed of; make another with model.edit");
    }
    this.#scale = scale;
    this.#parameters.write(Float32Array.of(scale, this.#limit));
    this.#changed();
  }
}

/** Puts an edit to work. */
export function makeEdit(runtime: Runtime, site: Site, spec: EditSpec, given: EditFilter): Edit {
  if (typeof spec !== "object" || spec === null || !(spec.kind in ops.editKinds)) {
    throw new PersimmonError(
      "EDIT_INVALID",
      "model.edit(site, edit) takes one of `edits`, such as edits.zero({ units: [5] })",
    );
  }
  checkFilter("model.edit", given);
  checkFilter("model.edit", spec.filter);
  // What is given as undefined leaves the spec's own in force.
  const present = Object.entries(given).filter(([, value]) => value !== undefined);
  const filter: EditFilter = { ...spec.filter, ...Object.fromEntries(present) };
  const common = commonParts(runtime, site, filter, "an edit cannot be set");
  const { device } = runtime;
  const operands = new Map<Site, SiteOperands>();
  for (const each of common.sites) operands.set(each, operandsFor(runtime, each, spec, filter));
  const parameters = Tensor.from(device, Float32Array.of(spec.strength, spec.limit ?? 0)).keep();
  const intervention: Intervention = {
    kind: "edit",
    ...common,
    describe: (at) => editText(at, spec, filter, edit.scale),
    // Plans that use the memory hold it themselves.
    release: () => {
      parameters.release();
      for (const { columns, operand, rowOf } of operands.values()) {
        for (const tensor of [columns, operand, rowOf]) tensor?.release();
      }
    },
    apply: (at, x, rows) =>
      apply(x, rows, operands.get(at) as SiteOperands, spec, parameters, at, runtime, filter),
  };
  const edit = new Edit(runtime, site, intervention, parameters, spec);
  return edit;
}

function operandsFor(runtime: Runtime, site: Site, spec: EditSpec, filter: EditFilter): SiteOperands {
  const { device, model, maxLength } = runtime;
  const integers = (values: Int32Array | undefined) =>
    values === undefined ? undefined : Tensor.from(device, values).keep();
  if (site.endsWith(".pattern")) {
    // The columns of a pattern are numbered by how many keys there are: noise would not be the same in each pass.
    if (spec.values !== undefined || filter.units !== undefined || spec.kind === "noise") {
      throw new PersimmonError(
        "EDIT_INVALID",
        `${site} grows with the text: its edits are zero, set, scale and clamp, on heads; use a hook for others`,
      );
    }
    columnsOf(model.config, site, filter, 1);
    return {
      columns: undefined,
      operand: undefined,
      rowOf: integers(rowOfPosition(filter, undefined, maxLength)),
    };
  }
  const columns = columnsOf(model.config, site, filter);
  const operand = operandOf(model.config, site, spec, columns);
  return {
    columns: integers(columns),
    operand:
      operand && Tensor.from(device, operand.data, [operand.rows, operand.data.length / operand.rows]).keep(),
    rowOf: integers(rowOfPosition(filter, operand?.positions, maxLength)),
  };
}

function apply(
  x: Tensor,
  rows: Rows,
  { columns, operand, rowOf }: SiteOperands,
  spec: EditSpec,
  parameters: Tensor,
  site: Site,
  { device, model }: Runtime,
  filter: EditFilter,
): Tensor {
  const [count] = x.shape;
  const width = x.size / count;
  const needed = operand?.shape[1];
  if (needed !== undefined && columns === undefined && needed !== width) {
    throw new PersimmonError(
      "SHAPE_MISMATCH",
      `the edit at ${site} has rows of ${needed} numbers, but the value there is [${x.shape.join(", ")}]`,
    );
  }
  let selected = columns;
  if (site.endsWith(".pattern") && filter.heads !== undefined) {
    const keys = x.shape[x.shape.length - 1];
    selected = Tensor.from(device, columnsOf(model.config, site, filter, keys) as Int32Array);
  }
  const { kind, seed = 0 } = spec;
  const { positions } = rows;
  return ops.edit(x, { kind, positions, rowOf, columns: selected, operand, parameters, seed });
}
