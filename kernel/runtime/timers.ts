import type { Guard } from "./guard.js";
import { Task, type Tasks } from "./tasks.js";

/**
 * Wraps setTimeout, setInterval and setImmediate of the global scope: callbacks run guarded, because terminating an
 * execution inside a timer that is not guarded aborts Node 20, and as a task of the cell that set the timer.
 *
 * @param report called with what a callback throws, and the id of the request whose code it is
 */
export function wrapTimers(
  guard: Guard,
  tasks: Tasks,
  report: (error: unknown, parent: string) => void,
): void {
  for (const name of ["setTimeout", "setInterval", "setImmediate"] as const) {
    const original = globalThis[name] as (callback: unknown, ...rest: unknown[]) => unknown;
    const wrapped = (callback: unknown, ...rest: unknown[]) => {
      if (typeof callback !== "function") return original(callback, ...rest);
      const parent = tasks.parent;
      const guarded = function (this: unknown, ...parameters: unknown[]) {
        try {
          tasks.callback(new Task(parent), () => guard.run(() => callback.apply(this, parameters)));
        } catch (error) {
          report(error, parent);
        }
      };
      return original(guarded, ...rest);
    };
    // util.promisify.custom among them
    Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(original));
    Object.defineProperty(globalThis, name, {
      value: wrapped,
      writable: true,
      configurable: true,
      enumerable: true,
    });
  }
}
