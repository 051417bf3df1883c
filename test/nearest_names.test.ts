import { describe, expect, it } from "vitest";
import { likelyName, nearestNames } from "../src/nearest_names.js";

describe("the name that was probably meant", () => {
  const names = ["maxNewTokens", "topK", "positions", "heads", "bos", "scale"];
  it.each([
    ["max_new_tokens", "maxNewTokens"],
    ["maxNewToken", "maxNewTokens"],
    ["TOPK", "topK"],
    ["k", "topK"],
    ["pos", "positions"],
    ["position", "positions"],
    ["head", "heads"],
    ["prependBos", "bos"],
    ["scael", undefined],
    ["strength", undefined],
    ["", undefined],
  ])("%s: %s", (given, meant) => {
    expect(likelyName(given, names)).toBe(meant);
  });
});

it("the nearest are those that fewest letters tell apart", () => {
  // kitten → sitting takes 3 changes, kitten → mitten 1, kitten → kit 3.
  expect(nearestNames("kitten", ["sitting", "saturday", "mitten"], 2)).toEqual(["mitten", "sitting"]);
});
