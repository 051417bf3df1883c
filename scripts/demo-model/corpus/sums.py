"""Sums and differences in words, many in a row: what the questions about numbers need."""

from random import Random

from .grammar import capital
from .reading import SHARE
from .split import held_out
from .words import NUMBERS


def told(sign: str, first: int, second: int) -> str | None:
    """"Two plus three is five.", or nothing where the combination is held out or there is no such number."""
    result = first + second if sign == "plus" else first - second
    if result < 0 or held_out(f"read:{sign}:{first}:{second}", SHARE):
        return None
    return f"{capital(NUMBERS[first])} {sign} {NUMBERS[second]} is {NUMBERS[result]}."


def _in_a_row(rng: Random) -> list[tuple[str, int, int]]:
    """The first number stays, or the second, and the other one goes up or down."""
    kept, sign = rng.randrange(1, 11), rng.choice(["plus", "minus"])
    order = range(1, 11) if rng.random() < 0.5 else range(10, 0, -1)
    return [(sign, kept, n) for n in order] if rng.random() < 0.5 else [(sign, n, kept) for n in order]


def _family(rng: Random) -> list[tuple[str, int, int]]:
    """2 + 3, 3 + 2, and the differences that go with them."""
    a, b = rng.randrange(1, 11), rng.randrange(1, 11)
    sums = [("plus", a, b), ("plus", b, a)]
    return [*sums, ("minus", a + b, b), ("minus", a + b, a)] if a + b <= 10 else sums


def _same_result(rng: Random) -> list[tuple[str, int, int]]:
    result = rng.randrange(2, 21)
    return [("plus", a, result - a) for a in range(max(1, result - 10), min(10, result - 1) + 1)]


def _any(rng: Random) -> list[tuple[str, int, int]]:
    return [(rng.choice(["plus", "minus"]), rng.randrange(1, 11), rng.randrange(1, 11)) for _ in range(6)]


def counting(rng: Random) -> str:
    """Numbers in order, one by one or two by two, up or down, or so many things."""
    start, step = rng.randrange(0, 16), rng.choice([1, 1, 1, 2])
    numbers = list(range(start, 21, step))[: rng.randrange(4, 9)]
    if rng.random() < 0.4:
        numbers.reverse()
    return capital(", ".join(NUMBERS[n] for n in numbers)) + "."


def sums_document(rng: Random) -> str:
    lines = []
    for _ in range(rng.randrange(3, 7)):
        if rng.random() < 0.15:
            lines.append(counting(rng))
            continue
        row = rng.choice([_in_a_row, _in_a_row, _family, _same_result, _any])(rng)
        lines.append(" ".join(t for t in (told(*sum_) for sum_ in row) if t))
    return "\n".join(line for line in lines if line)
