"""The likelihood side: which of several texts the model finds most probable, without generating anything."""

from dataclasses import dataclass

import sentencepiece
import torch
from transformers import PersimmonForCausalLM

from .items import options


@dataclass
class Candidate:
    context: str
    text: str  # the part that is scored
    size: int  # UTF-8 bytes that the score is divided by

    @classmethod
    def after_space(cls, context: str, text: str) -> "Candidate":
        return cls(context, " " + text, max(1, len(text.encode())))


def candidates(task: str, item: dict) -> list[Candidate] | None:
    """Zero-shot; None where the task has nothing to choose from. Winogrande scores what follows the filled blank."""
    if task in ("arc", "mmlu"):
        return [Candidate.after_space(f"Question: {item['question']}\nAnswer:", text) for text in options(item)]
    if task == "hellaswag":
        return [Candidate.after_space(item["ctx"], text) for text in options(item)]
    if task == "winogrande":
        before, after = item["sentence"].split("_")
        return [Candidate(before + item[name], after, max(1, len(after.encode()))) for name in ("option1", "option2")]
    return None


def gold(task: str, item: dict) -> int:
    return int(item["answer"]) - 1 if task == "winogrande" else item["gold"]


def _encode(tokenizer: sentencepiece.SentencePieceProcessor, candidate: Candidate) -> tuple[list[int], int]:
    """Ids of the whole text, and how many of them belong to the context: those that its own encoding begins with."""
    context = tokenizer.encode(candidate.context)
    ids = tokenizer.encode(candidate.context + candidate.text)
    same = 0
    while same < min(len(context), len(ids)) and context[same] == ids[same]:
        same += 1
    return ids, same


@torch.no_grad()
def log_likelihoods(
    model: PersimmonForCausalLM,
    tokenizer: sentencepiece.SentencePieceProcessor,
    end: int,
    texts: list[Candidate],
    batch: int = 32,
) -> list[float]:
    """Summed log-probability of each candidate's text after |ENDOFTEXT| and its context.

    Rows are padded on the right: attention looks only to the left, so the padding changes nothing before it.
    """
    encoded = [_encode(tokenizer, text) for text in texts]
    order = sorted(range(len(texts)), key=lambda i: len(encoded[i][0]))
    sums = [0.0] * len(texts)
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        width = max(len(encoded[i][0]) for i in chosen)
        targets = torch.tensor([encoded[i][0] + [end] * (width - len(encoded[i][0])) for i in chosen])  # [rows, width]
        inputs = torch.cat([torch.full((len(chosen), 1), end), targets[:, :-1]], 1)
        logits = model(input_ids=inputs, use_cache=False).logits.float()
        scores = torch.log_softmax(logits, -1).gather(2, targets[:, :, None])[:, :, 0]
        for row, i in enumerate(chosen):
            ids, context = encoded[i]
            sums[i] = scores[row, context : len(ids)].double().sum().item()
    return sums
