"""Hugging Face's PersimmonForCausalLM with random weights, as a process that bench/cuda/ladder.mjs asks to decode.

Reads one JSON request a line, answers each with one line on standard output; what it is doing goes to standard error.
    {"do": "load", "shape": {"hidden": …, "layers": …, "heads": …, "ffn": …, "vocab": …}, "device": "cuda", "dtype": "bfloat16"}
    {"do": "machine"}                                     copy bandwidth and rate of products of bfloat16 matrices
    {"do": "prepare", "context": 2048, "tokens": 200}     a cache for each way of decoding, with a prompt of `context` in it
    {"do": "decode", "way": "eager" | "compiled", "tokens": 32}
    {"do": "prefill", "tokens": 4096}
Weights are bfloat16, attention is PyTorch's own. "eager" has the cache that `generate` uses by default; "compiled" a static
one and torch.compile(mode="reduce-overhead"), which captures CUDA graphs.
"""

import json
import sys
import time

import torch
from transformers import DynamicCache, PersimmonConfig, PersimmonForCausalLM, StaticCache

PREFILL_CHUNK = 512


class Model:
    def __init__(self, shape, device, dtype):
        self.device = torch.device(device)
        config = PersimmonConfig(
            hidden_size=shape["hidden"],
            num_hidden_layers=shape["layers"],
            num_attention_heads=shape["heads"],
            intermediate_size=shape["ffn"],
            vocab_size=shape["vocab"],
            max_position_embeddings=32768,
        )
        torch.manual_seed(1)
        default = torch.get_default_dtype()
        torch.set_default_dtype(getattr(torch, dtype))
        try:
            # On the device from the start: initialising 9.4 billion numbers on a CPU takes minutes.
            with self.device:
                self.model = PersimmonForCausalLM(config).eval()
        finally:
            torch.set_default_dtype(default)
        self.config = config
        self.ways = {}

    def step(self, token, position, cache):
        logits = self.model(
            input_ids=token, position_ids=position, past_key_values=cache, use_cache=True, logits_to_keep=1
        ).logits
        return logits[:, -1].argmax(-1, keepdim=True)

    def prompt(self, count):
        return (torch.arange(count, device=self.device) * 7919 % self.config.vocab_size)[None]

    def run_prompt(self, count, cache):
        """In chunks, so that the scores of a long prompt need not fit into memory at once."""
        ids = self.prompt(count)
        for first in range(0, count, PREFILL_CHUNK):
            chunk = ids[:, first : first + PREFILL_CHUNK]
            positions = torch.arange(first, first + chunk.shape[1], device=self.device)[None]
            token = self.step(chunk, positions, cache)
        return token

    def prepare(self, context, tokens):
        self.ways = {}
        # Anew for each length of the cache: a second one would be compiled for any, which is slower.
        torch._dynamo.reset()
        self.compiled = torch.compile(self.step, mode="reduce-overhead")
        caches = {
            "eager": DynamicCache(config=self.config),
            # As small as it may be: it is read as a whole for every token.
            "compiled": StaticCache(config=self.config, max_cache_len=context + tokens + 1),
        }
        for way, cache in caches.items():
            token = self.run_prompt(context, cache)
            self.ways[way] = {"cache": cache, "token": token, "position": context}
        self.free()

    def decode(self, way, tokens):
        state = self.ways[way]
        step = self.step if way == "eager" else self.compiled
        token, first = state["token"], state["position"]
        positions = torch.arange(first, first + tokens, device=self.device)[:, None, None].unbind()
        self.wait()
        started = time.perf_counter()
        for position in positions:
            if way == "compiled":
                torch.compiler.cudagraph_mark_step_begin()
            # A captured graph writes its result where the next run reads its input.
            token = step(token, position, state["cache"]).clone()
        token.tolist()
        seconds = time.perf_counter() - started
        state["token"], state["position"] = token, first + tokens
        return seconds

    def prefill(self, count):
        """As a whole, which is fastest."""
        self.wait()
        started = time.perf_counter()
        positions = torch.arange(count, device=self.device)[None]
        self.step(self.prompt(count), positions, DynamicCache(config=self.config)).tolist()
        seconds = time.perf_counter() - started
        self.free()
        return seconds

    def weight_bytes(self):
        """What a token reads: all weights but the embedding."""
        embedding = self.model.model.embed_tokens.weight
        return sum(p.numel() * p.element_size() for p in self.model.parameters()) - (
            embedding.numel() * embedding.element_size()
        )

    def free(self):
        """Gives the memory that is held for later back to the GPU, where others need it."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def best(run, repeats, wait):
    seconds = []
    for _ in range(repeats):
        wait()
        started = time.perf_counter()
        run()
        wait()
        seconds.append(time.perf_counter() - started)
    return sorted(seconds)[len(seconds) // 2]


def machine(model):
    large = model.device.type == "cuda"
    source = torch.empty(2**30 if large else 2**22, dtype=torch.uint8, device=model.device)
    target = torch.empty_like(source)
    size = 8192 if large else 256
    a, b = (torch.randn(size, size, dtype=torch.bfloat16, device=model.device) for _ in range(2))
    for _ in range(3):
        target.copy_(source)
        a @ b
    copy = best(lambda: target.copy_(source), 11, model.wait)
    product = best(lambda: a @ b, 11, model.wait)
    name = torch.cuda.get_device_name() if large else "CPU"
    return {"device": name, "copyGBps": 2e-9 * source.numel() / copy, "matrixTflops": 2e-12 * size**3 / product}


@torch.inference_mode()
def main():
    model = None
    for line in sys.stdin:
        request = json.loads(line)
        print(f"hf.py: {line.strip()}", file=sys.stderr)
        try:
            if request["do"] == "load":
                model = Model(request["shape"], request["device"], request["dtype"])
                reply = {"weightBytes": model.weight_bytes(), "torch": torch.__version__}
            elif request["do"] == "machine":
                reply = machine(model)
            elif request["do"] == "prepare":
                model.prepare(request["context"], request["tokens"])
                reply = {}
            elif request["do"] == "decode":
                reply = {"seconds": model.decode(request["way"], request["tokens"])}
            elif request["do"] == "prefill":
                reply = {"seconds": model.prefill(request["tokens"])}
            else:
                reply = {"error": f"no request {request['do']}"}
        except Exception as error:  # the driver says it and goes on with the others
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
