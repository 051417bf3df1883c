"""Which item is shown, with its answer, before a question.

The choice depends on the seed, the task and the item alone: not on the order of the items, on a limit or on Python's
version. It is that of `persimmon eval`, so both ask the same. The shot comes from the same file as the question, in MMLU
from the same subject too.
"""

import hashlib
from collections.abc import Callable, Iterable
from itertools import count

from .items import item_id


def question_text(task: str, item: dict) -> str:
    """What makes two items the same question."""
    if task == "hellaswag":
        return item["ctx"]
    return item[{"winogrande": "sentence", "humaneval": "prompt"}.get(task, "question")]


def twins(item: dict, other: dict) -> bool:
    """Winogrande's items come in pairs: the same two options, and half of the words or more in common."""
    if {item["option1"], item["option2"]} != {other["option1"], other["option2"]}:
        return False
    first, second = (set(x["sentence"].split()) for x in (item, other))
    return 2 * len(first & second) >= min(len(first), len(second))


def eligible(task: str, item: dict, shot: dict) -> bool:
    if item_id(shot) == item_id(item) or question_text(task, shot) == question_text(task, item):
        return False
    return task != "winogrande" or not twins(item, shot)


# Names by which `persimmon eval` draws, where they are others than here.
_LIBRARY_NAMES = {"arc": "arc-easy"}


def _draw(seed: int, task: str, name: str, attempt: int, size: int) -> int:
    parts = [str(seed), _LIBRARY_NAMES.get(task, task), name, str(attempt)]
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return int.from_bytes(digest, "big") % size


def shot_picker(task: str, items: Iterable[dict], seed: int = 0) -> Callable[[dict], dict]:
    """A function from an item to its shot; `items` is the whole file."""
    pools: dict[str, list[dict]] = {}
    for item in sorted(items, key=item_id):
        pools.setdefault(item.get("subject", "") if task == "mmlu" else "", []).append(item)

    def pick(item: dict) -> dict:
        pool = pools[item.get("subject", "") if task == "mmlu" else ""]
        if not any(eligible(task, item, shot) for shot in pool):
            raise ValueError(f"{task}: no other item can be the shot of {item_id(item)}")
        for attempt in count():
            shot = pool[_draw(seed, task, item_id(item), attempt, len(pool))]
            if eligible(task, item, shot):
                return shot
        raise AssertionError("unreachable")

    return pick
