"""Held-out loss per byte and zeros by layer."""

import math

import torch
from transformers import PersimmonForCausalLM

from data import Data
from sparsity import ActivationWatch


@torch.compiler.set_stance("force_eager")  # every document has another length
@torch.no_grad()
def held_out(model: PersimmonForCausalLM, data: Data, documents: int) -> dict:
    """Mean negative log-likelihood of the first held-out documents, each on its own after |ENDOFTEXT|.

    The end of each document is predicted too; bytes are the UTF-8 bytes of the texts.
    """
    device = next(model.parameters()).device
    watch = ActivationWatch(model)
    model.eval()
    nats: dict[str, float] = {}
    sizes: dict[str, int] = {}
    zeros = torch.zeros(len(watch.layers), dtype=torch.float64)
    fired = [torch.zeros(model.config.intermediate_size, dtype=torch.bool, device=device) for _ in watch.layers]
    tokens = 0
    for ids, (kind, text) in zip(data.held_out[:documents], data.held_out_texts):
        row = torch.tensor([ids], device=device)
        logits = model(input_ids=row[:, :-1], use_cache=False).logits[0].float()
        loss = torch.nn.functional.cross_entropy(logits, row[0, 1:], reduction="sum").item()
        nats[kind] = nats.get(kind, 0.0) + loss
        sizes[kind] = sizes.get(kind, 0) + len(text.encode())
        tokens += len(ids) - 1
        for number, x in enumerate(watch.layers):
            zeros[number] += (x <= 0).double().mean(dim=-1).sum().item()
            fired[number] |= (x > 0).flatten(0, 1).any(0)
    watch.remove()
    model.train()
    total = sum(nats.values())
    return {
        "nats_per_byte": total / sum(sizes.values()),
        "bits_per_byte": total / sum(sizes.values()) / math.log(2),
        "nats_per_token": total / tokens,
        "tokens": tokens,
        "bytes": sum(sizes.values()),
        "nats_per_byte_by_kind": {kind: nats[kind] / sizes[kind] for kind in sorted(nats)},
        "zeros": (zeros / tokens).tolist(),
        "neurons_never_active": [int((~f).sum()) for f in fired],
    }
