import { expect, it } from "vitest";
import { short } from "../../src/display/numbers.js";

it.each([
  [0.478612, "0.4786"],
  [189.2345, "189.2"],
  [12345.678, "12,346"],
  [-98765.4321, "-98,765"],
  [1234567, "1,234,567"],
  [0.00012345, "1.23e-4"],
])("short(%d) is %s: four digits, and all before the point", (value, expected) => {
  expect(short(value)).toBe(expected);
});
