"""What differs from task to task: token budget, stop, how an answer is read and when it is right."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from .execution import program, verdict
from .extraction import letter, normalised, number, words
from .items import LETTERS, options
from .stops import dedent_stop, line_stop


@dataclass(frozen=True)
class Verdict:
    correct: bool
    unparsed: bool = False
    syntax: bool = False  # the program does not compile


@dataclass(frozen=True)
class Task:
    tokens: int  # at most, in a continuation
    stop: Callable[[str], int | None]
    judge: Callable[[dict, str], Verdict]
    gold: Callable[[dict], str] | None = None  # the right answer, where all items share a few possible ones


def _gold_letter(item: dict) -> str:
    return LETTERS[item["gold"]]


def _judge_letter(item: dict, text: str) -> Verdict:
    answer = letter(text, len(options(item)))
    return Verdict(answer == _gold_letter(item), answer is None)


def _judge_number(item: dict, text: str) -> Verdict:
    answer = number(text)
    return Verdict(answer == item["answer"], answer is None)


def _judge_words(item: dict, text: str) -> Verdict:
    answer = words(text)
    accepted = {normalised(alias) for alias in [item["answer"], *item["aliases"]]}
    return Verdict(answer in accepted, answer is None)


def _judge_code(item: dict, text: str) -> Verdict:
    status = verdict(program(item, text))
    return Verdict(status == "passed", syntax=status == "syntax")


_CHOICE = Task(8, line_stop, _judge_letter, _gold_letter)
TABLE = {
    "arc": _CHOICE,
    "mmlu": _CHOICE,
    "winogrande": Task(4, line_stop, _judge_number, lambda item: item["answer"]),
    "triviaqa": Task(24, line_stop, _judge_words),
    "hellaswag": _CHOICE,
    "humaneval": Task(200, dedent_stop, _judge_code),
}


def constant(task: str, items: list[dict]) -> float | None:
    """Share that the best answer gets if it is given to every item; None where answers are free text."""
    gold = TABLE[task].gold
    if gold is None or not items:
        return None
    return max(Counter(gold(item) for item in items).values()) / len(items)
