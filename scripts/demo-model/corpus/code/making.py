"""From an idea to a function with names, constants, examples and a test."""

import re
from dataclasses import dataclass
from random import Random

from .catalogue import by_kind
from .idea import Idea, fill, instruction, request
from .values import NAMES, TYPES, argument, constants

PLAIN_NAMES = "f func solve solution task compute process helper answer run calculate go".split()


@dataclass(frozen=True)
class Function:
    key: str  # names the combination; see idea.left_out
    kind: str
    prompt: str
    solution: str
    test: str
    entry_point: str




def cases(rng: Random, idea: Idea, slots: dict, code: str, name: str, count: int) -> list[tuple[str, object]]:
    """Calls and their results, by running the code; at least three different results if that can be had."""
    space: dict = {}
    exec(code, space)
    best: list = []
    for attempt in range(80):
        drawn = []
        for _ in range(count):
            arguments = [argument(rng, kind, slots) for kind in idea.parameters]
            drawn.append((", ".join(map(repr, arguments)), space[name](*arguments)))
        variety = len({repr(value) for _, value in drawn})
        if variety > len({repr(value) for _, value in best}):
            best = drawn
        if variety >= min(count, 2 if idea.result == "bool" or attempt > 5 else 3):
            break
    return best


def telling(drawn: list) -> list:
    """The order for a docstring: results that are not empty and that no earlier example has, and short calls."""
    by_result: dict = {}
    for call, value in sorted(drawn, key=lambda case: (case[1] in ([], "", None), len(case[0]))):
        by_result.setdefault(repr(value), (call, value))
    chosen = list(by_result.values())
    return chosen + [case for case in drawn if case not in chosen]


def signature(idea: Idea, name: str, names: list[str], annotated: bool) -> str:
    """With the import that the annotations need."""
    if not annotated:
        return f"def {name}({', '.join(names)}):\n"
    typed = [f"{argument}: {TYPES[kind]}" for argument, kind in zip(names, idea.parameters, strict=True)]
    head = f"def {name}({', '.join(typed)}) -> {idea.result}:\n"
    return "from typing import List\n\n\n" + head if "List[" in head else head


def make(rng: Random, idea: Idea) -> tuple[Function, str]:
    """A function, and the same task as it is asked for after "Write a Python function that"."""
    names: list[str] = []
    for kind in idea.parameters:
        names.append(rng.choice([name for name in NAMES[kind] if name not in names]))
    slots = {**constants(rng), **dict(zip("ab", names, strict=False))}
    name = fill(idea.name, slots) if rng.random() < 0.85 else rng.choice(PLAIN_NAMES)
    wording = fill(rng.choice(idea.wordings), slots)
    solution = f"    {fill(idea.body, slots)}\n"
    head = signature(idea, name, names, rng.random() < 0.5)
    # Constants that the idea itself fixes, for arguments near them.
    fixed = [int(digits) for digits in re.findall(r"\d+", idea.key)]
    slots.update({letter: fixed[0] for letter in "jkm" if fixed})
    code = head + solution
    shown = telling(cases(rng, idea, slots, code, name, 6))
    # The interpreter prints nothing for None.
    shown = [case for case in shown if case[1] is not None][: rng.choice([0, 1, 1, 2, 2, 3])]
    examples = "".join(f"    >>> {name}({call})\n    {value!r}\n" for call, value in shown)
    space = rng.choice(["", "", "", " "])
    prompt = f'{head}    """{space}{instruction(wording)}\n{examples}    """\n'
    checked = cases(rng, idea, slots, code, name, rng.randrange(4, 7))
    if len({repr(value) for _, value in checked}) == 1:  # these constants make the task trivial: others, then
        return make(rng, idea)
    asserts = "".join(f"    assert candidate({call}) == {value!r}\n" for call, value in checked)
    test = f"def check(candidate):\n{asserts}"
    return Function(idea.key, idea.kind, prompt, solution, test, name), request(wording)


def draw(rng: Random, held_out: bool) -> Idea:
    """First the kind, then the idea: a kind with many combinations does not crowd out the others."""
    kinds = by_kind(held_out)
    weights = [len(ideas) ** 0.5 for ideas in kinds.values()]
    return rng.choice(rng.choices(list(kinds.values()), weights)[0])


def function(rng: Random, held_out: bool = False) -> Function:
    return make(rng, draw(rng, held_out))[0]
