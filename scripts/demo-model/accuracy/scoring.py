"""One number after the other: every task's items through the model, and the answers counted."""

import sentencepiece
from transformers import PersimmonForCausalLM

from .decoding import complete
from .items import TASKS, check_items, choose
from .likelihood import candidates, gold, log_likelihoods
from .prompts import prompt
from .shots import shot_picker
from .tasks import TABLE, constant
from .wilson import tally


def _generate(model, tokenizer, end: int, task: str, items: list[dict], pool: list[dict], batch: int) -> dict:
    table, pick = TABLE[task], shot_picker(task, pool)
    prompts = [prompt(task, pick(item), item) for item in items]
    done = complete(model, tokenizer, end, prompts, table.tokens, table.stop, batch)
    verdicts = [table.judge(item, completion.text) for item, completion in zip(items, done)]
    generate = tally([v.correct for v in verdicts]) | {"unparsed": sum(v.unparsed for v in verdicts)}
    generate["length"] = sum(completion.finish == "length" for completion in done)
    if task == "humaneval":
        generate["syntax"] = sum(v.syntax for v in verdicts)
    kinds: dict[str, list[bool]] = {}
    for item, v in zip(items, verdicts):
        if "kind" in item:
            kinds.setdefault(item["kind"], []).append(v.correct)
    return {"generate": generate, "by_kind": {kind: tally(kinds[kind]) for kind in sorted(kinds)}}


def _likelihood(model, tokenizer, end: int, task: str, items: list[dict], batch: int) -> dict | None:
    texts = [candidates(task, item) for item in items]
    if any(group is None for group in texts):
        return None
    flat = iter(log_likelihoods(model, tokenizer, end, [text for group in texts for text in group], batch))
    by_sum, by_byte = [], []
    for item, group in zip(items, texts):
        sums = [next(flat) for _ in group]
        shares = [total / text.size for total, text in zip(sums, group)]
        by_sum.append(sums.index(max(sums)) == gold(task, item))
        by_byte.append(shares.index(max(shares)) == gold(task, item))
    return {"sum": tally(by_sum), "per_byte": tally(by_byte)}


def score(
    model: PersimmonForCausalLM,
    tokenizer: sentencepiece.SentencePieceProcessor,
    end: int,
    items: dict[str, list[dict]],
    batch: int = 32,
    limit: int | None = None,
) -> dict:
    """By task: generate, likelihood (None for TriviaQA and HumanEval), by_kind and constant.

    `model` is in float32 and eval mode, `end` the id of |ENDOFTEXT|. A limit leaves every item's shot as it is.
    """
    unknown = sorted(set(items) - set(TASKS))
    if unknown:
        raise ValueError(f"unknown tasks: {' '.join(unknown)}")
    results = {}
    for task in [task for task in TASKS if items.get(task)]:
        check_items(task, items[task])
        chosen = choose(items[task], limit)
        results[task] = {
            **_generate(model, tokenizer, end, task, chosen, items[task], batch),
            "likelihood": _likelihood(model, tokenizer, end, task, chosen, batch),
            "constant": constant(task, chosen),
        }
    return results
