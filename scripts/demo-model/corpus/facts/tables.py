"""All facts in one list, and random statements and questions from them."""

from random import Random

from . import animals, countries, people, things, words, work
from .fact import Attribute, Fact, Question

Row = tuple[str, list[str]]


def _rows(table: str) -> list[Row]:
    return [(name, values.split(", ")) for name, values in (line.split(": ") for line in table.strip().splitlines())]


def _facts(kind: str, rows: list[Row], attributes: list[Attribute], proper: bool = False) -> list[Fact]:
    made = []
    for column, attribute in enumerate(attributes):
        answers = {name: values[column] for name, values in rows if values[column] != "-"}
        for name, answer in answers.items():
            others = tuple(dict.fromkeys(v for v in answers.values() if v != answer))
            subjects = tuple(n for n, v in answers.items() if v != answer)
            made.append(Fact(kind, name, attribute, answer, others, subjects, proper))
    return made


def _orders() -> list[Fact]:
    made = []
    for kind, values in words.ORDERS.items():
        for (attribute,), pairs in (
            (words.AFTER, list(zip(values, values[1:]))), (words.BEFORE, list(zip(values[1:], values))),
        ):  # fmt: skip
            questions = tuple(q.replace("{kind}", kind) for q in attribute.questions)
            named = Attribute(attribute.name, questions, attribute.statements, also=attribute.also)
            for subject, answer in pairs:
                others = tuple(v for v in values if v not in (answer, subject))
                made.append(Fact("order", subject, named, answer, others, (), proper=True))
    return made


def _opposites() -> list[Row]:
    pairs = [pair.split() for pair in words.OPPOSITES.replace("\n", "|").split("|")]
    return [(a, [b]) for a, b in pairs] + [(b, [a]) for a, b in pairs]


FACTS: list[Fact] = [
    *_facts("animals", _rows(animals.TABLE), animals.ATTRIBUTES),
    *_facts("things", _rows(things.TABLE), things.ATTRIBUTES),
    *_facts("colors", _rows(things.COLORS), things.COLOR, proper=True),
    *_facts("opposites", _opposites(), words.OPPOSITE, proper=True),
    *_orders(),
    *_facts("countries", _rows(countries.TABLE), countries.ATTRIBUTES, proper=True),
    *_facts("work", _rows(work.TABLE), work.ATTRIBUTES),
    *_facts("people", people.rows(), people.ATTRIBUTES, proper=True),
]
ASKED = [fact for fact in FACTS if not fact.held_out]
NEVER_ASKED = [fact for fact in FACTS if fact.held_out]
KINDS = sorted({fact.kind for fact in FACTS})
# Half of what is asked is about the people: they are most of the facts. The rest is shared out by kind.
_BY_KIND = {kind: [f for f in ASKED if f.kind == kind] for kind in KINDS}
WEIGHTS = {kind: len(_BY_KIND[kind]) ** 0.75 for kind in KINDS}


def question(rng: Random, pool: list[Fact] | None = None, plain: bool = False) -> Question:
    """A question about a fact that training may ask for, or about one of `pool`. Its sentence is one of the statements, with
    `plain` the first."""
    if pool is None:
        pool = _BY_KIND[rng.choices(KINDS, [WEIGHTS[kind] for kind in KINDS])[0]]
    fact = rng.choice(pool)
    return fact.question(rng.randrange(fact.wordings), 0 if plain else rng.randrange(len(fact.attribute.statements)))


_ANSWERS = {q.text: q.answer for fact in ASKED for q in (fact.question(wording, 0) for wording in range(fact.wordings))}


def known_answer(asked: str) -> str | None:
    """The answer to a question about a fact, or nothing where no fact that training may ask for is asked for in these words."""
    return _ANSWERS.get(asked)


def statement(rng: Random, fact: Fact) -> str:
    return fact.fill(rng.choice(fact.attribute.statements))


def telling(rng: Random, fact: Fact) -> str:
    """A statement in one of all the ways in which the fact can be told."""
    return fact.fill(rng.choice(fact.attribute.statements + fact.attribute.also))
