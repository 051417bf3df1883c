"""A few sentences, and then every question that they answer: the reading of reading.py, with more to learn from a text.

The letters of multiple choice teach little about reading: one of four comes after seventy tokens.
"""

from random import Random

from . import words
from .grammar import with_articles
from .reading import COMPARED, SHARE, SPOTS, THINGS, people_names, reading_question
from .split import held_out

Asked = tuple[str, str]  # a question and the sentence that answers it


def _pairs(rng: Random, kind: str, values: list[str], count: int) -> list[tuple[str, str]]:
    """Things with different values, no combination of any of them held out."""
    while True:
        things, picked = rng.sample(THINGS, count), rng.sample(values, count)
        if not any(held_out(f"read:{kind}:{thing}:{value}", SHARE) for thing in things for value in picked):
            return list(zip(things, picked))


def _where(rng: Random) -> tuple[str, list[Asked]]:
    pairs = _pairs(rng, "where", SPOTS, rng.choice([2, 2, 3]))
    told = [f"{name} put the {thing} {spot}." for name, (thing, spot) in zip(people_names(rng, len(pairs)), pairs)]
    return " ".join(told), [(f"Where is the {thing}?", f"The {thing} is {spot}.") for thing, spot in pairs]


def _color(rng: Random) -> tuple[str, list[Asked]]:
    pairs = _pairs(rng, "color", words.COLOURS, 2)
    told = " and ".join(f"a {color} {thing}" for thing, color in pairs)
    asked = [(f"What color is the {thing}?", f"The {thing} is {color}.") for thing, color in pairs]
    return with_articles(f"{people_names(rng, 1)[0]} has {told}."), asked


def _who_has(rng: Random) -> tuple[str, list[Asked]]:
    """Two things are given, one of them or both a second time."""
    while True:
        told, asked, names = [], [], people_names(rng, 6)
        for thing, (a, b, c) in zip(rng.sample(THINGS, rng.choice([1, 2])), (names[:3], names[3:])):
            further = rng.random() < 0.6
            told.append(f"{a} gave the {thing} to {b}." + (f" Then {b} gave it to {c}." if further else ""))
            asked.append((thing, c if further else b))
        if not any(held_out(f"read:has:{thing}:{owner}", SHARE) for thing, owner in asked):
            return " ".join(told), [(f"Who has the {thing} now?", f"{owner} has the {thing}.") for thing, owner in asked]


def _most(rng: Random) -> tuple[str, list[Asked]]:
    more, most = rng.choice(COMPARED)
    while True:
        a, b, c = people_names(rng, 3)
        if not held_out(f"read:most:{more}:{a}", SHARE):
            break
    told = [f"{a} is {more} than {b}.", f"{b} is {more} than {c}."]
    rng.shuffle(told)
    return " ".join(told), [(f"Who is the {most}?", f"{a} is the {most}.")]


def _any(rng: Random) -> tuple[str, list[Asked]]:
    """A question as multiple choice asks it, numbers too."""
    asked = reading_question(rng)
    told, mark, last = asked.text.rpartition(". ")
    return f"{told}." if mark else "", [(last, asked.sentence)]


def short_texts(rng: Random) -> str:
    """Three to six texts with their questions, one after the other or as conversation."""
    talk = rng.random() < 0.3
    parts = []
    for _ in range(rng.randrange(3, 7)):
        told, asked = rng.choice([_where, _where, _color, _who_has, _who_has, _most, _any, _any])(rng)
        rng.shuffle(asked)
        if talk:
            first, *more = [(f"{told} {asked[0][0]}".strip(), asked[0][1]), *asked[1:]]
            parts += [f"human: {question}\n\nadept: {answer}" for question, answer in (first, *more)]
        else:
            parts.append(" ".join([told, *(f"{question} {answer}" for question, answer in asked)]).strip())
    return "\n\n".join(parts)
