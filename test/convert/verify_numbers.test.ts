import { join } from "node:path";
import { expect, it } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/index.js";
import { conversionOf } from "../../src/convert/outputs.js";
import { verifyNumbers } from "../../src/convert/verify_numbers.js";
import { convertCheckpoint } from "../../src/convert.js";
import { Device } from "../../src/tensor/device.js";
import { errorOf, temporaryDirectories } from "../checkpoint/support.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

const directory = temporaryDirectories();

it.each(["float32", "bfloat16", "int8", "int4"] as const)(
  "%s of other weights are found to be off",
  async (to) => {
    const [source, other] = [await tinyCheckpoint({}, 7), await tinyCheckpoint({}, 8)];
    const [right, wrong] = [join(directory(), "right"), join(directory(), "wrong")];
    await convertCheckpoint(source, right, { to });
    await convertCheckpoint(other, wrong, { to });
    const conversions = [...(await openCheckpoint(source)).tensors.values()].map((tensor) =>
      conversionOf(tensor, to),
    );
    const verify = async (path: string) =>
      verifyNumbers(conversions, await openCheckpoint(path), Device.cpu(), undefined);
    await verify(right);
    const error = await errorOf(verify(wrong));
    expect([error.code, error.message]).toEqual([
      "CONVERSION_INEXACT",
      expect.stringMatching(/embed_tokens.*row 0/),
    ]);
  },
);
