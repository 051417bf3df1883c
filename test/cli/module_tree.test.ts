import { describe, expect, it } from "vitest";
import type { CheckpointTensor } from "../../src/checkpoint/index.js";
import { camelCase, moduleTree } from "../../src/cli/module_tree.js";

const tensor = (name: string, ...shape: number[]): CheckpointTensor => ({
  name,
  dtype: "bfloat16",
  shape,
  file: "model.safetensors",
  byteOffset: 0,
  byteLength: 0,
});

const layer = (index: number, width: number) => [
  tensor(`model.layers.${index}.self_attn.query_key_value.weight`, 3 * width, width),
  tensor(`model.layers.${index}.self_attn.query_key_value.bias`, 3 * width),
  tensor(`model.layers.${index}.mlp.dense_h_to_4h.weight`, 4 * width, width),
];

it.each([
  ["query_key_value", "queryKeyValue"],
  ["dense_h_to_4h", "denseHTo4h"],
  ["dense_4h_to_h", "dense4hToH"],
  ["mlp", "mlp"],
])("%s is %s in the library", (name, camel) => expect(camelCase(name)).toBe(camel));

describe("moduleTree", () => {
  it("shows equal layers once", () => {
    const tensors = [
      tensor("model.embed_tokens.weight", 256, 8),
      ...layer(0, 8),
      ...layer(1, 8),
      ...layer(2, 8),
      tensor("lm_head.weight", 256, 8),
    ];
    expect(moduleTree(tensors).join("\n")).toMatchInlineSnapshot(`
      "embedTokens  weight [256, 8] bfloat16
      layers
        0 … 2  (3 times)
          selfAttn
            queryKeyValue  weight [24, 8] bfloat16  bias [24] bfloat16
          mlp
            denseHTo4h  weight [32, 8] bfloat16
      lmHead  weight [256, 8] bfloat16"
    `);
  });

  it("shows a layer that differs by itself", () => {
    const lines = moduleTree([...layer(0, 8), ...layer(1, 8), ...layer(2, 16), ...layer(3, 8)]);
    expect(lines.filter((line) => /^ {2}\d/.test(line))).toEqual(["  0 … 1  (2 times)", "  2", "  3"]);
  });
});
