"""Greedy and sampled continuations with transformers' model, and their log-probabilities."""

from dataclasses import dataclass

import sentencepiece
import torch
from transformers import PersimmonForCausalLM


@dataclass
class Continuation:
    ids: list[int]  # generated ids, without |ENDOFTEXT|
    text: str
    finish: str  # "eos" or "length"
    margins: list[float]  # distance between the two best logits at each step, that of the end included


def completion_text(tokenizer: sentencepiece.SentencePieceProcessor, prompt: list[int], ids: list[int]) -> str:
    """decode(prompt + ids) without decode(prompt): decoding the ids alone would drop a leading space."""
    return tokenizer.decode(prompt + ids)[len(tokenizer.decode(prompt)) :]


@torch.no_grad()
def continue_text(
    model: PersimmonForCausalLM,
    tokenizer: sentencepiece.SentencePieceProcessor,
    prompt: str,
    end: int,
    tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
) -> Continuation:
    """Continues |ENDOFTEXT| + prompt; temperature 0 takes the best token (ties: the lowest id)."""
    prompt_ids = tokenizer.encode(prompt)
    generator = torch.Generator().manual_seed(seed)
    row, cache = torch.tensor([[end, *prompt_ids]]), None
    ids: list[int] = []
    margins: list[float] = []
    finish = "length"
    for _ in range(tokens):
        out = model(input_ids=row, past_key_values=cache, use_cache=True)
        logits, cache = out.logits[0, -1].float(), out.past_key_values
        best = torch.topk(logits, 2).values
        margins.append((best[0] - best[1]).item())
        if temperature > 0:
            token = int(torch.multinomial(torch.softmax(logits / temperature, 0), 1, generator=generator))
        else:
            token = int(logits.argmax())
        if token == end:
            finish = "eos"
            break
        ids.append(token)
        row = torch.tensor([[token]])
    return Continuation(ids, completion_text(tokenizer, prompt_ids, ids), finish, margins)


@torch.no_grad()
def log_probabilities(model: PersimmonForCausalLM, ids: list[int]) -> list[float]:
    """Log-probability of each id but the first, given those before it."""
    logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float()
    scores = torch.log_softmax(logits, -1)[:-1]
    return scores.gather(1, torch.tensor(ids[1:])[:, None])[:, 0].tolist()
