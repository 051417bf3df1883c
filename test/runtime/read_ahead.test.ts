import { expect, it } from "vitest";
import { ReadAhead } from "../../src/runtime/read_ahead.js";

/** Parts that tell when they were asked for, and are there when `arrive` is called. */
function parts(sizes: readonly number[]) {
  const asked: number[] = [];
  const arrivals: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const list = sizes.map((bytes, index) => ({
    bytes,
    fetch: () =>
      new Promise<void>((resolve, reject) => {
        asked.push(index);
        arrivals[index] = { resolve, reject };
      }),
  }));
  return { list, asked, arrivals };
}

it("asks for the next parts before they are wanted, up to 256 MiB, and hands them out in order", async () => {
  const megabytes = (size: number) => size * 2 ** 20;
  const { list, asked, arrivals } = parts([100, 100, 100, 100, 100].map(megabytes));
  const ahead = new ReadAhead(list);
  const first = ahead.next();
  expect(asked).toEqual([0, 1, 2]);
  arrivals[0].resolve();
  await first;
  expect(asked).toEqual([0, 1, 2, 3]);
  const second = ahead.next();
  arrivals[1].resolve();
  await second;
  expect(asked).toEqual([0, 1, 2, 3, 4]);
});

it("a part larger than that is asked for in its turn, and small ones sixteen at a time", () => {
  const large = parts([2 ** 30, 2 ** 30]);
  new ReadAhead(large.list).next();
  expect(large.asked).toEqual([0]);
  const small = parts(new Array(40).fill(10));
  new ReadAhead(small.list).next();
  expect(small.asked).toHaveLength(16);
});

it("what fails is thrown when it is its turn", async () => {
  const { list, arrivals } = parts([1, 1]);
  const ahead = new ReadAhead(list);
  const first = ahead.next();
  arrivals[1].reject(new Error("disk"));
  arrivals[0].resolve();
  await first;
  await expect(ahead.next()).rejects.toThrow("disk");
});
