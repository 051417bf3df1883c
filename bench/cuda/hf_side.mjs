// Hugging Face's implementation in a Python process (hf.py).
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Its ways of decoding, as the tables name them. */
export const ways = { "HF eager": "eager", "HF torch.compile": "compiled" };

export class HfSide {
  /** @param python the Python that has torch and transformers */
  static async start(python, shape, device) {
    const side = new HfSide(python);
    const { weightBytes } = await side.ask({ do: "load", shape, device, dtype: "bfloat16" });
    side.weightBytes = weightBytes;
    side.kvBytes = 4 * shape.layers * shape.hidden; // keys and values of a position in bfloat16
    return side;
  }

  constructor(python) {
    // Keys and values that grow would else leave holes of every size in the GPU's memory.
    const env = { ...process.env, PYTORCH_CUDA_ALLOC_CONF: "expandable_segments:True" };
    // Ours, set when a GPU was opened; PyTorch would load every kernel of its libraries.
    delete env.CUDA_MODULE_LOADING;
    const stdio = ["pipe", "pipe", "inherit"];
    this.child = spawn(python, [join(import.meta.dirname, "hf.py")], { stdio, env });
    this.child.stdin.on("error", () => {}); // it has ended, which `ended` says
    this.ended = once(this.child, "exit").then(([code]) => {
      throw new Error(`${python} bench/cuda/hf.py ended with ${code}`);
    });
    this.ended.catch(() => {});
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async ask(request) {
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value } = await Promise.race([this.lines.next(), this.ended]);
    if (value === undefined) return this.ended;
    const reply = JSON.parse(value);
    if (reply.error !== undefined) throw new Error(`hf.py: ${reply.error}`);
    return reply;
  }

  async prepare(context, tokens) {
    this.context = context;
    await this.ask({ do: "prepare", context, tokens });
  }

  /** Seconds and bytes of a token, without what the static cache reads behind its end. */
  async decode(name, tokens) {
    const { seconds } = await this.ask({ do: "decode", way: ways[name], tokens });
    return { seconds: seconds / tokens, bytes: this.weightBytes + this.kvBytes * this.context };
  }

  async prefill(tokens) {
    return (await this.ask({ do: "prefill", tokens })).seconds;
  }

  stop() {
    this.child.stdin.end();
  }
}
