import type { LanguageModel } from "../../src/language_model.js";

/** Beside int8 and int4 weights the CPU rounds activations to 8 bits, the GPU does not: the same weights in float32. */
export function withExactProducts({ layers, lmHead }: LanguageModel): void {
  const products = layers.flatMap(({ selfAttn, mlp }) => [
    selfAttn.queryKeyValue,
    selfAttn.dense,
    mlp.denseHTo4h,
    mlp.dense4hToH,
  ]);
  for (const product of [...products, lmHead]) product.weight = product.weight.copy().keep();
}
