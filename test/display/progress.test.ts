import { describe, expect, it, vi } from "vitest";
import { display } from "../../src/index.js";
import { withHost } from "./host.js";

describe("a progress bar", () => {
  it("is one display that is updated in place", () =>
    withHost((sent) => {
      vi.useFakeTimers({ toFake: ["performance"] });
      try {
        const bar = display.progress({ total: 200, label: "Reading <x>", unit: "tokens" });
        vi.advanceTimersByTime(1000);
        bar.update(50);
        vi.advanceTimersByTime(3000);
        bar.advance(150);
        bar.close();
        bar.close();
      } finally {
        vi.useRealTimers();
      }
      expect(sent.map(({ update }) => update)).toEqual([false, true, true, true]);
      expect(new Set(sent.map(({ id }) => id)).size).toBe(1);
      const [first, second, , last] = sent.map(({ bundle }) => bundle["text/html"]);
      expect(first).toContain("<b>Reading &lt;x&gt;</b>");
      expect(first).toContain('<progress value="0" max="200">');
      expect(second).toContain("50 of 200 tokens, 50 tokens/s, 3.0 s left");
      expect(last).toContain("200 tokens in 4.0 s, 50 tokens/s");
    }));

  it("is not drawn more than ten times a second", () =>
    withHost((sent) => {
      using bar = display.progress({ total: 1000 });
      for (let done = 0; done < 1000; done++) bar.advance();
      expect(sent.length).toBeLessThan(20);
    }));

  it("says what is noted beside the count, until the end", () =>
    withHost((sent) => {
      const bar = display.progress({ total: 4, unit: "answers" });
      bar.update(1, "75.0 % right");
      bar.update(2);
      bar.close();
      expect(sent.at(-1)?.bundle["text/plain"]).toMatch(/stopped after 2 of 4 answers, 75\.0 % right, /);
    }));

  it("ends with its block, also by an error, and says where", () =>
    withHost((sent) => {
      expect(() => {
        using bar = display.progress({ total: 10 });
        bar.update(3);
        throw new Error("in the middle");
      }).toThrow("in the middle");
      expect(sent.at(-1)?.bundle["text/plain"]).toContain("stopped after 3 of 10");
    }));

  it("ends when the user interrupts, and stays as it was", () =>
    withHost((sent, interrupt) => {
      using bar = display.progress({ total: 10 });
      bar.update(4);
      interrupt();
      expect(sent.at(-1)?.bundle["text/plain"]).toContain("interrupted after 4 of 10");
      const before = sent.length;
      bar.update(10);
      expect(sent.length).toBe(before);
    }));

  it("a bar that begins after the interrupt says so too", () =>
    withHost((sent, interrupt) => {
      interrupt();
      display.progress({ total: 10 }).close();
      expect(sent.at(-1)?.bundle["text/plain"]).toContain("interrupted after 0 of 10");
    }));

  it("says nothing outside of a notebook and a terminal", () => {
    const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    try {
      display.progress({ total: 3 }).close();
      expect(write).toHaveBeenCalledTimes(process.stderr.isTTY ? 2 : 0);
    } finally {
      write.mockRestore();
    }
  });

  it.each([[{}], [{ total: 0 }], [{ total: Number.NaN }], [undefined]])("refuses %j", (options) => {
    expect(() => display.progress(options as never)).toThrowError(
      expect.objectContaining({ code: "PROGRESS_INVALID" }),
    );
  });
});
