import { expect, it } from "vitest";
import { ProgressLine } from "../../src/cli/progress_line.js";

function terminal(isTTY: boolean) {
  const written: string[] = [];
  return { isTTY, written, write: (text: string) => written.push(text) > 0 };
}

const clear = "\r\x1b[K";

it("says how far a stage is, each percentage once, and removes the line at the end", () => {
  const screen = terminal(true);
  const line = new ProgressLine(screen as never);
  line.show({ stage: "prompt", loaded: 512, total: 2048 });
  line.show({ stage: "prompt", loaded: 513, total: 2048 });
  line.show({ stage: "prompt", loaded: 1024, total: 2048 });
  line.end();
  line.end(); // what stands there now is not ours
  expect(screen.written).toEqual([`${clear}prompt 25 %`, `${clear}prompt 50 %`, clear]);
});

it("leaves lines that are to stay", () => {
  const screen = terminal(true);
  const line = new ProgressLine(screen as never);
  line.show({ stage: "weights", loaded: 1, total: 4 });
  line.say("int8 takes 1 GB");
  line.end();
  expect(screen.written).toEqual([`${clear}weights 25 %`, `${clear}int8 takes 1 GB\n`]);
});

it("writes nothing where there is no terminal", () => {
  const screen = terminal(false);
  const line = new ProgressLine(screen as never);
  line.show({ stage: "prompt", loaded: 1, total: 2 });
  line.say("text");
  line.end();
  expect(screen.written).toEqual([]);
});
