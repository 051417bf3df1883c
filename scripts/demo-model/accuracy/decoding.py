"""Greedy continuations of many prompts at once.

Prompts of about the same length share a batch. They are padded on the left; the mask hides the padding and the
positions count from each prompt's own first token, so a row computes what it would compute alone, but for the order
of float32 sums.
"""

from collections.abc import Callable
from dataclasses import dataclass

import sentencepiece
import torch
from transformers import PersimmonForCausalLM

Stop = Callable[[str], int | None]


@dataclass
class Completion:
    text: str  # up to the stop
    finish: str  # "stop", "eos" or "length"
    ids: list[int]  # what was generated, the ids of the stop included, |ENDOFTEXT| not


class _Row:
    """One prompt under way. decode(prompt + ids) without decode(prompt) keeps the first piece's leading space."""

    def __init__(self, tokenizer: sentencepiece.SentencePieceProcessor, prompt: str):
        self.tokenizer, self.prompt, self.ids, self.text, self.finish = tokenizer, tokenizer.encode(prompt), [], "", ""
        self.skip = len(tokenizer.decode(self.prompt))

    def add(self, token: int, end: int, tokens: int, stop: Stop) -> None:
        if token == end:
            self.finish = "eos"
            return
        self.ids.append(token)
        self.text = self.tokenizer.decode(self.prompt + self.ids)[self.skip :]
        at = stop(self.text)
        if at is not None:
            self.text, self.finish = self.text[:at], "stop"
        elif len(self.ids) == tokens:
            self.finish = "length"


def _decode(model: PersimmonForCausalLM, rows: list[_Row], end: int, tokens: int, stop: Stop) -> None:
    width = 1 + max(len(row.prompt) for row in rows)
    padding = [width - 1 - len(row.prompt) for row in rows]
    ids = torch.tensor([[end] * (pad + 1) + row.prompt for pad, row in zip(padding, rows)])  # [rows, width]
    mask = (torch.arange(width) >= torch.tensor(padding)[:, None]).long()  # [rows, width]
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    cache = None
    while rows:
        out = model(
            input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True,
            logits_to_keep=1,
        )  # fmt: skip
        cache, ids = out.past_key_values, out.logits[:, -1].argmax(-1)[:, None]
        for row, token in zip(rows, ids[:, 0].tolist()):
            row.add(token, end, tokens, stop)
        going = [number for number, row in enumerate(rows) if not row.finish]
        if len(going) < len(rows):
            rows, ids, mask, positions = [rows[i] for i in going], ids[going], mask[going], positions[going]
            cache.batch_select_indices(torch.tensor(going, dtype=torch.long))
        mask = torch.cat([mask, torch.ones(len(rows), 1, dtype=torch.long)], 1)
        positions = positions[:, -1:] + 1


@torch.no_grad()
def complete(
    model: PersimmonForCausalLM,
    tokenizer: sentencepiece.SentencePieceProcessor,
    end: int,
    prompts: list[str],
    tokens: int,
    stop: Stop,
    batch: int = 32,
) -> list[Completion]:
    """Continues |ENDOFTEXT| + each prompt by the best token (ties: the lowest id), up to `tokens`, in their order."""
    rows = [_Row(tokenizer, prompt) for prompt in prompts]
    by_length = sorted(rows, key=lambda row: len(row.prompt))
    for start in range(0, len(rows), batch):
        _decode(model, by_length[start : start + batch], end, tokens, stop)
    return [Completion(row.text, row.finish, row.ids) for row in rows]
