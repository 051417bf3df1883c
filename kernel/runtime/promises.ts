import type { Tasks } from "./tasks.js";

type Callback = (value: unknown) => unknown;

/**
 * Lets callbacks of promises (`then`, `catch`, `finally`) run as the task that registered them, so that what
 * `fetch(url).then(show)` prints appears under its own cell even while another runs. Awaits of cells do not come here;
 * the compiler reports them (see tasks.ts).
 */
export function attributePromises(tasks: Tasks): void {
  const original = Promise.prototype.then as (this: unknown, ...callbacks: unknown[]) => Promise<unknown>;
  const then = function (this: unknown, onFulfilled?: unknown, onRejected?: unknown) {
    const task = tasks.current ?? tasks.foreground;
    if (!task) return original.call(this, onFulfilled, onRejected);
    const attributed = (callback: unknown) =>
      typeof callback === "function"
        ? (value: unknown) => tasks.as(task, () => (callback as Callback)(value))
        : callback;
    return original.call(this, attributed(onFulfilled), attributed(onRejected));
  };
  // biome-ignore lint/suspicious/noThenProperty: the property of that name is what is wrapped here
  Object.defineProperty(Promise.prototype, "then", { value: then, writable: true, configurable: true });
}
