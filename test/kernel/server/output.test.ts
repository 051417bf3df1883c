import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { History } from "../../../kernel/server/history.js";
import { SendQueue } from "../../../kernel/server/send_queue.js";
import { StreamBatch } from "../../../kernel/server/stream_batch.js";

describe("StreamBatch", () => {
  const sent: string[] = [];
  let batch: StreamBatch;
  beforeEach(() => {
    vi.useFakeTimers();
    sent.length = 0;
    batch = new StreamBatch((name, text, parent) => sent.push(`${parent} ${name} ${text}`));
  });
  afterEach(() => vi.useRealTimers());

  it("joins writes and sends them after 40 ms", () => {
    batch.write("stdout", "a", "p");
    batch.write("stdout", "b", "p");
    vi.advanceTimersByTime(39);
    expect(sent).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(sent).toEqual(["p stdout ab"]);
  });

  it("sends at once when the stream or the parent changes, on flush, and at 64 K characters", () => {
    batch.write("stdout", "a", "p");
    batch.write("stderr", "b", "p");
    batch.write("stderr", "c", "q");
    batch.flush();
    expect(sent).toEqual(["p stdout a", "p stderr b", "q stderr c"]);
    batch.write("stdout", "x".repeat(65_536), "p");
    expect(sent).toHaveLength(4);
  });
});

describe("SendQueue", () => {
  it("keeps order and never sends while a send is under way", async () => {
    let open = 0;
    const arrived: string[] = [];
    const queue = new SendQueue({
      async send([frame]) {
        expect(++open).toBe(1);
        await new Promise((done) => setImmediate(done));
        arrived.push(Buffer.from(frame!).toString());
        open--;
      },
    });
    const texts = Array.from({ length: 50 }, (_, i) => String(i));
    for (const text of texts) queue.push([Buffer.from(text)]);
    await queue.close();
    queue.push([Buffer.from("too late")]);
    expect(arrived).toEqual(texts);
  });
});

describe("History", () => {
  it("finds the tail, a range of a session, and a pattern, each once when asked", () => {
    const history = new History();
    for (const [i, input] of ["a = 1", "b = 2", "a = 1"].entries()) history.add(i + 1, input);
    history.addOutput(2, "two");
    expect(history.find({ hist_access_type: "tail", n: 2 })).toEqual([
      [1, 2, "b = 2"],
      [1, 3, "a = 1"],
    ]);
    expect(history.find({ hist_access_type: "range", session: 0, start: 2, stop: 3, output: true })).toEqual([
      [1, 2, ["b = 2", "two"]],
    ]);
    expect(history.find({ hist_access_type: "search", pattern: "a*", unique: true })).toHaveLength(1);
    expect(history.find({ hist_access_type: "search", pattern: "?.=*" })).toEqual([]);
  });
});
