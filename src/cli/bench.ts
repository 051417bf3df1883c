import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Command, Option } from "commander";
import { PersimmonError } from "../errors.js";
import { loadModel } from "../load_model.js";
import { packageRoot } from "../package_root.js";
import { type RandomShape, randomModel } from "../random_model.js";
import { modelSpeed } from "../research/model_speed.js";
import type { KvDType } from "../runtime/kv_cache.js";
import type { WeightDType } from "../runtime/load_weights.js";
import type { MatmulPrecision } from "../tensor/device.js";
import {
  deviceOption,
  kvDtypeOption,
  type ModelOptions,
  matmulPrecisionOption,
  predictZerosOption,
} from "./options.js";

interface BenchFlags {
  shape?: string;
  device?: ModelOptions["device"];
  dtype: string;
  prompt: string;
  generate: string;
  rounds: string;
  threads?: string;
  zeros?: string;
  skipZeros: boolean;
  matmulPrecision?: MatmulPrecision;
  kvDtype?: KvDType;
  predictZeros?: string;
  compare?: string;
  json?: boolean;
}

/** `persimmon bench`: decode and prefill speed beside the bandwidth that the machine has in the same seconds. */
export function benchCommand(): Command {
  return new Command("bench")
    .description("measure decode and prefill speed, bytes per token and the share of the read bandwidth")
    .argument("[model]", "folder or hub name of a model (default: the bundled demo model)")
    .option(
      "--shape <sizes>",
      "random weights of this shape instead, such as hidden=4096,layers=4,heads=64,ffn=16384,vocab=32768",
    )
    .addOption(deviceOption())
    .option("--dtype <dtype>", "how weights are held: auto, float32, bfloat16, int8, int4", "auto")
    .option("--prompt <tokens>", "tokens of the prompt", "16")
    .option("--generate <tokens>", "tokens to generate in each round", "64")
    .option("--rounds <n>", "rounds; medians are over all of them", "3")
    .option("--threads <n>", "threads (default: all that the process may use)")
    .option("--zeros <share>", "with --shape: the share of squared ReLUs that is zero (default: 0.5)")
    .option("--no-skip-zeros", "read all weights of the down projections, also what belongs to zeros")
    .addOption(matmulPrecisionOption())
    .addOption(kvDtypeOption())
    .addOption(predictZerosOption())
    .addOption(
      new Option(
        "--compare <peer>",
        "with --shape: the same shape in llama.cpp, in turns (npm install --prefix bench/peers)",
      ).choices(["node-llama-cpp"]),
    )
    .option("--json", "print the figures as JSON")
    .action(async (source: string | undefined, flags: BenchFlags) => {
      if (flags.compare !== undefined) {
        process.exitCode = await compare(source, flags);
        return;
      }
      checkTogether(source, flags);
      const threads = flags.threads === undefined ? undefined : whole("--threads", flags.threads);
      const dtype = flags.dtype as "auto" | WeightDType; // the library checks it
      const model =
        flags.shape === undefined
          ? await loadModel(source, {
              device: flags.device,
              dtype,
              threads,
              matmulPrecision: flags.matmulPrecision,
              skipZeros: flags.skipZeros,
              kvDtype: flags.kvDtype,
              predictZeros: flags.predictZeros,
            })
          : randomModel(parseShape(flags.shape), {
              device: flags.device,
              ...(dtype !== "auto" && { dtype }),
              threads,
              matmulPrecision: flags.matmulPrecision,
              skipZeros: flags.skipZeros,
              kvDtype: flags.kvDtype,
              ...(flags.zeros !== undefined && { zeros: Number(flags.zeros) }),
            });
      const speed = await modelSpeed(model, {
        prompt: whole("--prompt", flags.prompt),
        generate: whole("--generate", flags.generate),
        rounds: whole("--rounds", flags.rounds),
      });
      const text = flags.json
        ? JSON.stringify({ ...speed.figures, skipZeros: flags.skipZeros }, null, 2)
        : speed.lines().join("\n");
      process.stdout.write(`${text}\n`);
    });
}

/** Refuses what would have no effect. */
function checkTogether(source: string | undefined, { shape, zeros, predictZeros }: BenchFlags): void {
  const wrong =
    shape === undefined
      ? zeros !== undefined && "--zeros belongs to random weights: name their shape with --shape"
      : (source !== undefined &&
          `--shape measures random weights in place of a model, got the model ${source}`) ||
        (predictZeros !== undefined &&
          "--predict-zeros takes a model that its predictor was made with; bench/predict_zeros.mjs measures random weights");
  if (wrong) throw new PersimmonError("OPTION_INVALID", wrong);
}

/** Hidden 4096, 64 heads, ffn 16384, vocabulary 32,768: the layers of the 8B, few enough to be made in seconds. */
export const sliceShape = { hidden: 4096, layers: 4, heads: 64, ffn: 16384, vocab: 32768 };

/** Runs bench/llama_cpp.mjs: its exit code. */
async function compare(source: string | undefined, flags: BenchFlags): Promise<number> {
  if (flags.shape === undefined || source !== undefined) {
    throw new PersimmonError(
      "OPTION_INVALID",
      "--compare takes random weights of a shape, which both engines can be given: name it with --shape, and no model",
    );
  }
  const shape = { ...sliceShape, ...parseShape(flags.shape) };
  const dtypes = ["auto", "bfloat16", "int8", "int4"];
  const [prompt, tokens] = [whole("--prompt", flags.prompt), whole("--generate", flags.generate)];
  const wrong =
    (flags.device === "cuda" && "--device must be cpu: bench/cuda/ladder.mjs measures on GPUs") ||
    (!dtypes.includes(flags.dtype) && `--dtype must be one of ${dtypes.join(", ")}`) ||
    ([shape.hidden, shape.ffn].some((size) => size % 32 !== 0) && "hidden and ffn must be multiples of 32") ||
    (shape.vocab < 512 && "vocab must be at least 512, to have room for llama.cpp's bytes") ||
    (prompt + tokens > 4000 && "--prompt and --generate must not exceed 4,000 tokens together");
  if (wrong) throw new PersimmonError("OPTION_INVALID", `with --compare ${wrong}`);
  const options = {
    shape: flags.shape,
    dtypes: flags.dtype === "auto" ? undefined : flags.dtype,
    prompt,
    tokens,
    rounds: whole("--rounds", flags.rounds),
    threads: flags.threads,
    zeros: flags.zeros,
    "matmul-precision": flags.matmulPrecision,
    "kv-dtype": flags.kvDtype,
  };
  const given = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, String(value)],
  );
  if (!flags.skipZeros) given.push("--no-skip-zeros");
  if (flags.json) given.push("--json");
  const child = spawn(process.execPath, [join(packageRoot, "bench", "llama_cpp.mjs"), ...given], {
    stdio: "inherit",
  });
  const [code] = await once(child, "exit");
  return code ?? 1;
}

/** Reads `hidden=4096,layers=4,…`. Throws `SHAPE_INVALID`. */
export function parseShape(text: string): RandomShape {
  const names = ["hidden", "layers", "heads", "ffn", "vocab"] as const;
  const shape: RandomShape = {};
  for (const part of text.split(",")) {
    const [name, value] = part.split("=");
    const known = names.find((candidate) => candidate === name.trim());
    if (known === undefined || value === undefined) {
      throw new PersimmonError(
        "SHAPE_INVALID",
        `--shape takes ${names.map((candidate) => `${candidate}=N`).join(",")}, got "${part}"`,
      );
    }
    shape[known] = whole(`--shape ${known}`, value);
  }
  return shape;
}

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && text.trim() !== "") return value;
  throw new PersimmonError("OPTION_INVALID", `${name} must be a whole number from 1, got "${text}"`);
}
