import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Interrupter } from "../../../kernel/server/interrupter.js";
import { SHARED, type ToMain } from "../../../kernel/threads.js";

describe("Interrupter", () => {
  let shared: Int32Array;
  let posted: ToMain[];
  let interrupter: Interrupter;
  let kill: ReturnType<typeof vi.spyOn>;
  beforeEach(() => {
    vi.useFakeTimers();
    kill = vi.spyOn(process, "kill").mockImplementation(() => true);
    shared = new Int32Array(new SharedArrayBuffer(SHARED.words * 4));
    posted = [];
    interrupter = new Interrupter(shared, (message) => posted.push(message));
    shared[SHARED.guardDepth] = 1; // a script runs, which only a signal breaks
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  it("raises the flag, tells the main thread, and signals when it does not answer", () => {
    interrupter.interrupt(() => false);
    expect(posted).toEqual([{ type: "interrupt", number: 1 }]);
    expect(shared[SHARED.interrupt]).toBe(1);
    vi.advanceTimersByTime(59);
    expect(kill).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(kill).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(150);
    expect(kill).toHaveBeenCalledTimes(2);
  });

  it("sends no signal once the cell has ended: it would hit the next one", () => {
    let over = false;
    interrupter.interrupt(() => over);
    over = true;
    vi.advanceTimersByTime(10_000);
    expect(kill).not.toHaveBeenCalled();
  });

  it("sends no signal once the main thread has handled the interrupt, even before its message is read", () => {
    interrupter.interrupt();
    shared[SHARED.interruptTaken] = 1;
    vi.advanceTimersByTime(10_000);
    expect(kill).not.toHaveBeenCalled();
  });

  it("interrupts again when the cell goes on all the same, but not when none was running", () => {
    interrupter.interrupt(() => false);
    shared[SHARED.interruptTaken] = 1;
    interrupter.taken(1);
    vi.advanceTimersByTime(300);
    expect(posted).toHaveLength(2);
    interrupter.interrupt();
    shared[SHARED.interruptTaken] = 3;
    interrupter.taken(3);
    vi.advanceTimersByTime(10_000);
    expect(posted).toHaveLength(3);
  });
});
