"""PersimmonForCausalLM of Hugging Face transformers in bfloat16, with random weights of a shape.

    python transformers_process.py THREADS HIDDEN LAYERS HEADS FFN VOCAB

Reads lines of `TOKENS ID ID ...` and answers each with the seconds of the prompt and of so many tokens after it.
"""

import sys
import time

import torch
from transformers import DynamicCache, PersimmonConfig, PersimmonForCausalLM

threads, hidden, layers, heads, ffn, vocabulary = map(int, sys.argv[1:])
torch.set_num_threads(threads)
config = PersimmonConfig(
    hidden_size=hidden,
    num_hidden_layers=layers,
    num_attention_heads=heads,
    intermediate_size=ffn,
    vocab_size=vocabulary,
    max_position_embeddings=16384,
)
torch.set_default_dtype(torch.bfloat16)
model = PersimmonForCausalLM(config).eval()


@torch.inference_mode()
def measure(tokens: int, prompt: list[int]) -> tuple[float, float]:
    cache = DynamicCache(config=config)
    started = time.perf_counter()
    # The logits of the last position only, which are all that a generation needs.
    model(torch.tensor([prompt]), past_key_values=cache, logits_to_keep=1)
    prefilled = time.perf_counter()
    following = torch.tensor([[300]])
    for _ in range(tokens):
        logits = model(following, past_key_values=cache, logits_to_keep=1).logits
        following = logits[:, -1].argmax(dim=-1, keepdim=True)
    return prefilled - started, time.perf_counter() - prefilled


print("ready", flush=True)
for line in sys.stdin:
    tokens, *prompt = map(int, line.split())
    print(*measure(tokens, prompt), flush=True)
