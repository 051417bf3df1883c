import { PersimmonError, valueText } from "../errors.js";
import { Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";
import { currentPath, moduleError } from "./path.js";
import { type At, currentRunner, type HostFunction } from "./runner.js";

/**
 * Runs JavaScript on a value in the middle of a forward pass: control flow that depends on values goes here. It breaks the
 * plan at this place; everything else stays in it.
 * @param x [rows, width]
 * @param f fills `out` from the values of x
 * @param width columns of the result; default: those of x
 * @returns [rows, width]
 * @throws PersimmonError ARGUMENT_INVALID, OUTSIDE_OF_PASS, MODULE_FAILED with what `f` threw
 */
export function host(x: Tensor, f: HostFunction, width?: number): Tensor {
  return hostCall(x, f, width, "host()", "host() runs JavaScript here");
}

/**
 * A module in plain TypeScript on Float32Array. The plan breaks around it: one copy down, one copy up. For speed write a
 * Module that is composed of ops, which stays inside the plan.
 */
export abstract class HostModule extends Module {
  /** Fills `out` [rows, outWidth] from `x` [rows, width], row-major. Must not keep either array. */
  protected abstract run(
    x: Float32Array,
    out: Float32Array,
    shape: { rows: number; width: number },
    at: At,
  ): void;

  /** Columns of the result for so many columns of x; the same number unless overridden. */
  protected outWidth(width: number): number {
    return width;
  }

  protected override forward(x: Tensor): Tensor {
    const width = this.outWidth(x.shape[x.shape.length - 1]);
    const f: HostFunction = (values, out, shape, at) => {
      const result: unknown = this.run(values, out, shape, at);
      if (result instanceof Promise) {
        result.catch(() => {});
        throw new PersimmonError(
          "HOST_ASYNC",
          `${at.site}: run() of a HostModule must be done when it returns, but it returned a promise`,
        );
      }
    };
    return hostCall(
      x,
      f,
      width,
      this.constructor.name || "class without a name",
      "a HostModule; compose it of ops to stay in the plan",
    );
  }
}

function hostCall(
  x: Tensor,
  f: HostFunction,
  width: number | undefined,
  name: string,
  reason: string,
): Tensor {
  if (!(x instanceof Tensor) || x.shape.length !== 2 || x.dtype !== "float32") {
    const got = x instanceof Tensor ? `${x.dtype} [${x.shape.join(", ")}]` : valueText(x);
    throw new PersimmonError("ARGUMENT_INVALID", `host() takes a float32 tensor [rows, width], got ${got}`);
  }
  const runner = currentRunner();
  if (runner === undefined) {
    throw new PersimmonError(
      "OUTSIDE_OF_PASS",
      `${name} runs inside a forward pass of a model; call its function on an array instead`,
    );
  }
  const path = currentPath();
  const about = { label: `${path}: ${name}`, reason, width: width ?? x.shape[1], site: path };
  return runner.host(x, withErrors(f, name), about);
}

/** JavaScript whose errors name the place: it also runs in replays, where no module is called. */
function withErrors(f: HostFunction, name: string): HostFunction {
  return (x, out, shape, at) => {
    try {
      f(x, out, shape, at);
    } catch (error) {
      throw moduleError(error, `${at.site} (${name})`);
    }
  };
}
