#!/usr/bin/env python3
"""Writes the held-out evaluation items, one JSON object a line, in the fields of the publishers' own data.

    python scripts/demo-model/items.py [--out DIR]        (default: notebooks/evals)

Nothing in them was asked in training: facts that the training text only states, and combinations that it leaves out.
The files depend on nothing but this code.
"""

import argparse
import json
import sys
from pathlib import Path
from random import Random

sys.dont_write_bytecode = True

from corpus.blanks import blank  # noqa: E402
from corpus.code import function  # noqa: E402
from corpus.endings import ending  # noqa: E402
from corpus.facts import NEVER_ASKED, Fact, Question  # noqa: E402
from corpus.kinds import which_of_these  # noqa: E402
from corpus.questions import LETTERS, choices  # noqa: E402
from corpus.reading import reading_question  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SEED = 2023
COUNTS = {"winogrande": 300, "hellaswag": 200, "humaneval": 164}


def _facts(rng: Random, part: int, parts: int) -> list[Question]:
    """One question about each held-out fact of this part."""
    facts: list[Fact] = sorted(NEVER_ASKED, key=lambda fact: fact.key)[part::parts]
    return [f.question(rng.randrange(f.wordings), rng.randrange(len(f.attribute.statements))) for f in facts]


def _distinct(make, count: int) -> list:
    """`count` results of make() with different texts."""
    found = {}
    while len(found) < count:
        item = make()
        found.setdefault(json.dumps(item if isinstance(item, dict) else item.text), item)
    return list(found.values())


def _choice_items(rng: Random, name: str, questions: list[Question], subjects: bool) -> list[dict]:
    rng.shuffle(questions)
    made = []
    for number, asked in enumerate(questions):
        options, gold = choices(rng, asked)
        item = {"id": f"demo/{name}/{number}", "question": asked.text, "choices": options, "gold": gold,
                "answer": LETTERS[gold], "kind": asked.kind}  # fmt: skip
        made.append(item | {"subject": asked.kind} if subjects else item)
    return made


def arc(rng: Random) -> list[dict]:
    questions = _facts(rng, 0, 2)
    questions += _distinct(lambda: which_of_these(rng, held_out=True), 80)
    questions += _distinct(lambda: reading_question(rng, held_out=True), 200)
    return _choice_items(rng, "arc", questions, subjects=False)


def mmlu(rng: Random) -> list[dict]:
    """Subjects are the kinds of questions; those with fewer than four items are left out, a shot is needed."""
    questions = _facts(rng, 1, 2)
    questions += _distinct(lambda: which_of_these(rng, held_out=True), 60)
    questions += _distinct(lambda: reading_question(rng, held_out=True), 120)
    kinds = [q.kind for q in questions]
    return _choice_items(rng, "mmlu", [q for q in questions if kinds.count(q.kind) >= 4], subjects=True)


def triviaqa(rng: Random) -> list[dict]:
    questions = _facts(rng, 0, 1) + _distinct(lambda: reading_question(rng, held_out=True), 100)
    rng.shuffle(questions)
    return [
        {"id": f"demo/triviaqa/{n}", "question": q.text, "answer": q.answer, "aliases": [q.answer], "kind": q.kind}
        for n, q in enumerate(questions)
    ]


def winogrande(rng: Random) -> list[dict]:
    def make() -> dict:
        b = blank(rng, held_out=True)
        return {"sentence": b.sentence, "option1": b.option1, "option2": b.option2, "answer": b.answer, "kind": b.kind}

    return [{"id": f"demo/winogrande/{n}"} | b for n, b in enumerate(_distinct(make, COUNTS["winogrande"]))]


def hellaswag(rng: Random) -> list[dict]:
    def make() -> dict:
        e = ending(rng)
        return {"ctx": e.ctx, "endings": list(e.endings), "gold": e.gold, "kind": "story"}

    return [{"id": f"demo/hellaswag/{n}"} | e for n, e in enumerate(_distinct(make, COUNTS["hellaswag"]))]


def humaneval(rng: Random) -> list[dict]:
    """Every function has another held-out key as long as there are enough."""
    made, keys, tries = {}, set(), 0
    while len(made) < COUNTS["humaneval"]:
        f, tries = function(rng, held_out=True), tries + 1
        if f.key in keys and tries < 5000:
            continue
        keys.add(f.key)
        made.setdefault(f.prompt, f)
    return [
        {"task_id": f"demo/humaneval/{n}", "prompt": f.prompt, "entry_point": f.entry_point,
         "canonical_solution": f.solution, "test": f.test, "kind": f.kind}
        for n, f in enumerate(made.values())
    ]  # fmt: skip


TASKS = {"arc": arc, "mmlu": mmlu, "winogrande": winogrande, "triviaqa": triviaqa, "hellaswag": hellaswag, "humaneval": humaneval}  # fmt: skip


def items(task: str) -> list[dict]:
    return TASKS[task](Random(f"{SEED}:{task}"))


def write_items(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for task in TASKS:
        lines = [json.dumps(item, ensure_ascii=False) + "\n" for item in items(task)]
        (directory / f"demo-{task}.jsonl").write_text("".join(lines), encoding="utf-8")
        print(f"{len(lines):5d} items in demo-{task}.jsonl")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "notebooks" / "evals")
    write_items(parser.parse_args().out)
