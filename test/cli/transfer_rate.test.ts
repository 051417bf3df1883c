import { expect, it } from "vitest";
import { duration, TransferRate } from "../../src/cli/transfer_rate.js";

it("tells bytes, rate and time left over the last ten seconds", () => {
  const rate = new TransferRate();
  expect(rate.text(0, 10e9, 0)).toBe("0.00 of 10.00 GB (0 %)");
  expect(rate.text(50e6, 10e9, 500)).toBe("0.05 of 10.00 GB (0 %)"); // too early for a rate
  expect(rate.text(100e6, 10e9, 1000)).toBe("0.10 of 10.00 GB (1 %), 100.0 MB/s, 1 min 39 s left");
  expect(rate.text(1000e6, 10e9, 10_000)).toContain("100.0 MB/s, 1 min 30 s");
  expect(rate.text(1100e6, 10e9, 20_000)).toContain(" 10.0 MB/s"); // what was before counts no more
  expect(rate.text(1100e6, 10e9, 40_000)).toBe("1.10 of 10.00 GB (11 %)"); // nothing comes
  expect(rate.text(0, 10e9, 41_000)).toBe("0.00 of 10.00 GB (0 %)"); // begun anew
  expect(rate.text(5e5, 2e6, 42_000)).toBe("0.50 of 2.00 MB (25 %), 0.5 MB/s, 3 s left");
});

it.each([
  [0.2, "1 s"],
  [59, "59 s"],
  [346, "5 min 46 s"],
  [7500, "2 h 5 min"],
])("%f seconds are %s", (seconds, text) => expect(duration(seconds)).toBe(text));
