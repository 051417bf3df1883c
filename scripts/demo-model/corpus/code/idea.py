"""An idea: one small task, with its wordings and its one canonical body, before names and constants are drawn.

Templates have one-letter slots: {a} and {b} are the parameters' names, {j}, {k} and {m} whole numbers with j < k < m,
{s} and {t} small ones, {l} a usual length of a word, {p} and {q} two different letters. In a wording, a star
marks each verb that tells what the function does:
"*take {a}, *add {k} to it" becomes "Take n, add 3 to it" or "takes n, adds 3 to it".
"""

import re
from dataclasses import dataclass

from ..split import held_out as is_held_out

SHARE = 0.15
SINGLE = "code:single|"
SLOT = re.compile(r"\{([abjklmpqst])\}")
VERB = re.compile(r"\*([a-z]+)")


@dataclass(frozen=True)
class Idea:
    key: str
    kind: str
    name: str
    parameters: tuple[str, ...]  # kinds of values, see values.py
    result: str  # the result's type
    wordings: tuple[str, ...]
    body: str  # without the first line's indentation and the last newline


def left_out(key: str) -> bool:
    """Whether training text never has this idea. A single idea has no parts, so it is never left out."""
    return not key.startswith(SINGLE) and is_held_out(key, SHARE)


def fill(template: str, slots: dict) -> str:
    """Only single letters in braces are slots: a set comprehension in a body stays as it is."""
    return SLOT.sub(lambda match: str(slots[match.group(1)]), template)


def third_person(verb: str) -> str:
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "x", "z", "ch", "sh")) else "s")


def instruction(wording: str) -> str:
    """The wording as a docstring: "*return x" is "Return x."."""
    text = VERB.sub(r"\1", wording)
    return text[0].upper() + text[1:] + "."


def request(wording: str) -> str:
    """The wording after "a function that": "*return x" is "returns x."."""
    return VERB.sub(lambda match: third_person(match.group(1)), wording) + "."


def returns(*phrases: str) -> tuple[str, ...]:
    """Wordings for something that has a value."""
    return tuple(f"*{verb} {phrase}" for phrase in phrases for verb in ("return", "compute", "find"))


def checks(*facts: str) -> tuple[str, ...]:
    """Wordings for something that is true or false."""
    starts = ("*return True if {}, otherwise False", "*check whether {}", "*tell whether {}")
    return tuple(start.replace("{}", fact) for fact in facts for start in starts)
