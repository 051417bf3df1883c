import { expect, it, vi } from "vitest";
import { parseConfig } from "../../src/model/config.js";
import type { KvDType } from "../../src/runtime/kv_cache.js";
import type { WeightDType } from "../../src/runtime/load_weights.js";
import { expectMemory, planMemory, planText } from "../../src/runtime/memory_check.js";
import { codeOf } from "../support/codes.js";

const persimmon8b = parseConfig(
  {
    hidden_size: 4096,
    num_hidden_layers: 36,
    num_attention_heads: 64,
    intermediate_size: 16384,
    vocab_size: 262144,
    max_position_embeddings: 16384,
    rope_theta: 25000,
    torch_dtype: "bfloat16",
  },
  "the 8B",
);

/** Bytes of the 8B in bfloat16 (shared/MODEL.md §1). */
const stored = 18_794_350_592;

interface Asked {
  dtype?: WeightDType | "auto";
  kvDtype?: KvDType;
  maxLength?: number;
  lengthAsked?: boolean;
  space?: number;
}

/** The 8B in a mapped bfloat16 file, of which three quarters are used in place, on a machine with so many GB. */
function plan(gigabytes: number, asked: Asked = {}) {
  const { dtype = "auto", kvDtype = "float32", maxLength = 16384, lengthAsked = true, space } = asked;
  const inPlace = (held: WeightDType | "auto") =>
    held === "auto" || held === "bfloat16" ? 0.75 * stored : 0;
  const memory = { free: 1e9 * gigabytes, from: "the test" };
  return planMemory(
    persimmon8b,
    { dtype, kvDtype, maxLength, lengthAsked, inPlace, contexts: 4 },
    { memory, addressSpace: space === undefined ? undefined : { free: 1e9 * space, from: "ulimit" } },
  );
}

it("knows what MODEL.md says of the 8B: weights, and keys and values of 16,384 tokens", () => {
  expect(plan(100).needed.weights).toBe(stored);
  expect(plan(100, { kvDtype: "bfloat16" }).needed.kvCache).toBe(16384 * 576 * 1024);
  expect(plan(100, { kvDtype: "int8" }).needed.kvCache).toBe(2 * 36 * 64 * (64 + 4) * 16384);
  const fits = plan(100);
  expect([fits.refusal, fits.warning, fits.tokens]).toEqual([undefined, undefined, 16384]);
  expect(planText(fits)).toMatch(/^memory: 38\.\d GB needed .*100\.0 GB free \(the test\)$/);
});

it("refuses with the figures, and every proposal fits by itself", () => {
  const refusal = plan(24, { dtype: "float32" }).refusal!;
  expect(refusal).toMatch(
    /^the model needs 57\.\d GB \(weights as float32 37\.6 GB, keys and values of 16,384/,
  );
  expect(refusal).toContain("24.0 GB are free (the test)");
  expect(refusal).toContain("`memoryCheck: false` (--no-memory-check)");
  expect(plan(10, { dtype: "int4", maxLength: 16384 }).refusal).toMatchInlineSnapshot(
    `"the model needs 25.3 GB (weights as int4 5.3 GB, keys and values of 16,384 tokens as float32 19.3 GB, buffers 0.66 GB); 10.0 GB are free (the test). What fits: \`maxLength: 2048\` (8.4 GB), or \`memoryCheck: false\` (--no-memory-check) to load it all the same"`,
  );
  expect(plan(10, { dtype: "int4", kvDtype: "int8", maxLength: 16384 }).refusal).toMatchInlineSnapshot(
    `"the model needs 11.1 GB (weights as int4 5.3 GB, keys and values of 16,384 tokens as int8 5.1 GB, buffers 0.66 GB); 10.0 GB are free (the test). What fits: \`maxLength: 8192\` (8.5 GB), or \`memoryCheck: false\` (--no-memory-check) to load it all the same"`,
  );
  expect(plan(10, { dtype: "int4", maxLength: 2048 }).refusal).toBeUndefined();
});

it("where one setting is not enough it proposes several, and where none is it says so", () => {
  expect(plan(8.5, { dtype: "float32" }).refusal).toMatch(
    /What fits: `dtype: "int4", kvDtype: "int8", maxLength: \d+` \(\d\.\d GB\)/,
  );
  expect(plan(2).refusal).toMatch(/Nothing fits, not even `dtype: "int4", kvDtype: "int8"`/);
});

it("weights that stay in their file may be dropped: a model that does not fit with them loads, and pages", () => {
  const paged = plan(15, { maxLength: 1024 });
  expect(paged.refusal).toBeUndefined();
  expect(paged.inPlace).toBe(0.75 * stored);
  expect(paged.warning).toMatch(
    /^14\.1 GB of weights stay in their file.*Every token will read from the disk/,
  );
  expect(plan(15, { maxLength: 1024, dtype: "float32" }).refusal).toBeDefined();
});

it("a context that nobody asked for need not fit as a whole, but 2,048 tokens must", () => {
  const short = plan(12, { dtype: "int4", lengthAsked: false });
  expect(short.refusal).toBeUndefined();
  expect(short.tokens % 256).toBe(0);
  expect(short.warning).toContain(`up to some ${short.tokens.toLocaleString("en")} tokens`);
  // By hand: a token takes 2 · 36 · 4096 · 4 B.
  const room = 12e9 - 60e6 - short.needed.weights - short.needed.buffers;
  expect(Math.abs(short.tokens - room / (2 * 36 * 4096 * 4))).toBeLessThan(600);
  expect(plan(12, { dtype: "int4", lengthAsked: true }).refusal).toBeDefined();
  expect(plan(7.5, { dtype: "int4", lengthAsked: false }).refusal).toBeDefined();
});

it("a limit of the address space counts mapped files and all contexts that the cache reserves", () => {
  const asked = { dtype: "bfloat16", maxLength: 1024 } as const;
  expect(plan(100, { ...asked, space: 30 }).refusal).toBeUndefined();
  expect(plan(100, { ...asked, space: 20 }).refusal).toMatch(
    /20\.0 GB are free \(ulimit\)\. What fits: .*int8/,
  );
});

it("throws OUT_OF_MEMORY unless it was told not to", () => {
  expect(codeOf(() => expectMemory(plan(2), true))).toBe("OUT_OF_MEMORY");
  const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  expectMemory(plan(2), false);
  expectMemory(plan(100), true);
  expect(warned.mock.calls).toEqual([[plan(2).refusal, "PersimmonMemoryWarning"]]);
  warned.mockRestore();
});
