"""Two or three sentences and a question that they answer: where, who, what color, how many, who is taller.

What is combined (this thing in this place, these two numbers) is new in every held-out question.
"""

from random import Random

from . import words
from .facts import Question
from .grammar import with_articles
from .split import held_out as is_held_out
from .words import NUMBERS

SHARE = 0.15
SPOTS = words.OUTDOOR_SPOTS + words.INDOOR_SPOTS
THINGS = words.TOYS + words.KEEPSAKES


def people_names(rng: Random, count: int) -> list[str]:
    return rng.sample(words.GIRLS + words.BOYS, count)


def _where(rng: Random) -> Question:
    (a, b), (thing, other), (spot, wrong) = people_names(rng, 2), rng.sample(THINGS, 2), rng.sample(SPOTS, 2)
    told = [f"{a} put the {thing} {spot}.", f"{b} put the {other} {wrong}."]
    rng.shuffle(told)
    options = (wrong, *rng.sample([s for s in SPOTS if s not in (spot, wrong)], 2))
    text = f"{' '.join(told)} Where is the {thing}?"
    return Question(f"read:where:{thing}:{spot}", "reading", text, spot, f"The {thing} is {spot}.", options)


def _who_has(rng: Random) -> Question:
    (a, b, c, d), thing = people_names(rng, 4), rng.choice(THINGS)
    told, owner, wrong = f"{a} gave the {thing} to {b}.", b, (a, c, d)
    if rng.random() < 0.6:
        told, owner, wrong = f"{told} Then {b} gave it to {c}.", c, (a, b, d)
    return Question(f"read:has:{thing}:{owner}", "reading", f"{told} Who has the {thing} now?", owner,
                    f"{owner} has the {thing}.", wrong)  # fmt: skip


def _color(rng: Random) -> Question:
    (a,), (thing, other), (color, second, *more) = people_names(rng, 1), rng.sample(THINGS, 2), rng.sample(words.COLOURS, 4)
    told = [f"a {color} {thing}", f"a {second} {other}"]
    rng.shuffle(told)
    text = f"{a} has {told[0]} and {told[1]}. What color is the {thing}?"
    return Question(f"read:color:{thing}:{color}", "reading", with_articles(text), color,
                    f"The {thing} is {color}.", (second, *more))  # fmt: skip


COMPARED = [("taller", "tallest"), ("older", "oldest"), ("faster", "fastest"), ("stronger", "strongest"), ("younger", "youngest"), ("smaller", "smallest")]  # fmt: skip


def _most(rng: Random) -> Question:
    (a, b, c, d), (more, most) = people_names(rng, 4), rng.choice(COMPARED)
    told = [f"{a} is {more} than {b}.", f"{b} is {more} than {c}."]
    rng.shuffle(told)
    return Question(f"read:most:{more}:{a}", "reading", f"{' '.join(told)} Who is the {most}?", a,
                    f"{a} is the {most}.", (b, c, d))  # fmt: skip


def _count(rng: Random) -> Question:
    (a, b), thing = people_names(rng, 2), rng.choice("apples books coins eggs shells stones nuts cookies".split())
    first, second = rng.randrange(2, 11), rng.randrange(1, 10)
    if rng.random() < 0.5 and second < first:
        result, key = first - second, f"read:minus:{first}:{second}"
        told = rng.choice([f"{a} gives {NUMBERS[second]} to {b}.", f"{a} loses {NUMBERS[second]} of them."])
    else:
        result, key = first + second, f"read:plus:{first}:{second}"
        told = rng.choice([f"{b} gives {a} {NUMBERS[second]} more.", f"{a} finds {NUMBERS[second]} more."])
    near = [n for n in range(max(0, result - 4), result + 5) if n != result]
    text = f"{a} has {NUMBERS[first]} {thing}. {told} How many {thing} does {a} have now?"
    answer = NUMBERS[result]
    return Question(key, "counting", text, answer, f"{a} has {answer} {thing}.", tuple(NUMBERS[n] for n in near))


def _sum(rng: Random) -> Question:
    first, second = rng.randrange(1, 11), rng.randrange(1, 11)
    if rng.random() < 0.5:
        result, key, sign = first + second, f"read:plus:{first}:{second}", "plus"
    else:
        first, second = max(first, second), min(first, second)
        result, key, sign = first - second, f"read:minus:{first}:{second}", "minus"
    near = [n for n in range(max(0, result - 4), result + 5) if n != result]
    x, y, answer = NUMBERS[first], NUMBERS[second], NUMBERS[result]
    return Question(key, "counting", f"How much is {x} {sign} {y}?", answer, f"{x.capitalize()} {sign} {y} is {answer}.",
                    tuple(NUMBERS[n] for n in near))  # fmt: skip


MAKERS = [_where, _where, _who_has, _who_has, _color, _most, _count, _sum]


def reading_question(rng: Random, held_out: bool = False, careful: bool = False) -> Question:
    """With `held_out` only combinations that training never shows, without it never one of those; `careful` also without
    wrong options that would make one."""
    make = rng.choice(MAKERS)
    while True:
        question = make(rng)
        if is_held_out(question.key, SHARE) == held_out and not (careful and _tempts(question)):
            return question


def _tempts(question: Question) -> bool:
    """Whether a wrong option is a combination that training leaves out. Where such an option is never right, a model can
    tell it by that alone, and then takes it for wrong where it is right."""
    if not question.key.startswith(("read:where:", "read:color:", "read:has:")):
        return False
    said = question.key.rpartition(":")[0]
    return any(is_held_out(f"{said}:{option}", SHARE) for option in question.options)
