import { PersimmonError, valueText } from "../errors.js";
import { type HookFunction, SiteValue } from "./interventions.js";
import { atSite, type PassRows } from "./rows.js";

/** Calls a hook with a value, and checks what it gives back. */
export class HookRun {
  constructor(
    readonly site: string,
    readonly shape: readonly number[],
    readonly run: HookFunction,
  ) {}

  /** @throws PersimmonError HOOK_FAILED, HOOK_RESULT_INVALID */
  call(values: Float32Array, rows: PassRows): Float32Array {
    const at = atSite(this.site, rows);
    let result: unknown;
    try {
      result = this.run(new SiteValue(values, this.shape), at);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new PersimmonError("HOOK_FAILED", `the hook at ${this.site} threw: ${message}`, { cause });
    }
    if (result === undefined) return values;
    const expected = `a Float32Array of ${values.length} numbers [${this.shape.join(", ")}], or nothing after changing x.data`;
    if (result instanceof Promise) {
      result.catch(() => {});
      throw new PersimmonError(
        "HOOK_RESULT_INVALID",
        `the hook at ${this.site} returned a promise: a hook is done when it returns; it may give ${expected}`,
      );
    }
    if (!(result instanceof Float32Array) || result.length !== values.length) {
      const got = result instanceof Float32Array ? `one of ${result.length}` : valueText(result);
      throw new PersimmonError(
        "HOOK_RESULT_INVALID",
        `the hook at ${this.site} must return ${expected}, got ${got}`,
      );
    }
    return result;
  }
}
