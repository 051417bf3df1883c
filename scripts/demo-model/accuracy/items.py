"""Item files: one JSON object a line, with the fields that the public data sets have once they are normalised.

    arc        id, question, choices, gold (from 0), answer (its letter)
    mmlu       the same, and subject
    winogrande id, sentence (with _), option1, option2, answer ("1" or "2")
    triviaqa   id, question, answer, aliases
    hellaswag  id, ctx, endings, gold
    humaneval  task_id, prompt, entry_point, canonical_solution, test

Each may have a `kind`, by which the accuracy is told apart.
"""

import hashlib
import json
from pathlib import Path

TASKS = ["arc", "mmlu", "winogrande", "triviaqa", "hellaswag", "humaneval"]
LETTERS = "ABCDEFGH"


def item_id(item: dict) -> str:
    return item["task_id"] if "task_id" in item else item["id"]


def options(item: dict) -> list[str]:
    """The texts to choose between: of ARC and MMLU `choices`, of HellaSwag `endings`."""
    return item["endings"] if "endings" in item else item["choices"]


def read_items(directory: Path) -> dict[str, list[dict]]:
    """Items by task, from the files demo-TASK.jsonl that are there. A line ends at a newline and nowhere else."""
    items = {}
    for task in TASKS:
        file = directory / f"demo-{task}.jsonl"
        if file.exists():
            lines = file.read_bytes().decode().split("\n")
            items[task] = [json.loads(line) for line in lines if line.strip()]
    return items


def check_items(task: str, items: list[dict]) -> None:
    """Refuses what would make a score mean something else: an id that comes twice, a gold answer that does not fit."""
    seen = set()
    for item in items:
        name = item_id(item)
        if name in seen:
            raise ValueError(f"{task}: the id {name} comes twice")
        seen.add(name)
        if task in ("arc", "mmlu", "hellaswag"):
            gold, texts = item["gold"], options(item)
            if not 0 <= gold < len(texts) <= len(LETTERS):
                raise ValueError(f"{task}: {name} has gold {gold} of {len(texts)} options")
            if item.get("answer", LETTERS[gold]) != LETTERS[gold]:
                raise ValueError(f"{task}: {name} has answer {item['answer']}, but gold {gold} is {LETTERS[gold]}")
        if task == "winogrande" and (item["answer"] not in ("1", "2") or item["sentence"].count("_") != 1):
            raise ValueError(f"{task}: {name} needs one _ and the answer 1 or 2")


def choose(items: list[dict], limit: int | None) -> list[dict]:
    """All items, or `limit` of them spread over the file: those whose ids have the lowest SHA-256."""
    if limit is None:
        return items
    return sorted(items, key=lambda item: hashlib.sha256(item_id(item).encode()).digest())[:limit]
