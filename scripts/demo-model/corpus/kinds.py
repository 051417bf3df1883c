"""Multiple choice across the facts: "Which of these is a bird?"; the right one shares a property, the others do not."""

import re
from random import Random

from .facts import FACTS, Fact, Question

ASKED = {
    ("animals", "class"): "Which of these animals is {x}?",
    ("animals", "covering"): "Which of these animals has {x} on its body?",
    ("animals", "legs"): "Which of these animals has {x} legs?",
    ("animals", "eats"): "Which of these animals eats {x}?",
    ("animals", "lives"): "Which of these animals lives {x}?",
    ("things", "material"): "Which of these things is made of {x}?",
    ("things", "kept"): "Which of these things do people keep {x}?",
    ("colors", "color"): "Which of these is {x}?",
    ("countries", "continent"): "Which of these countries is in {x}?",
    ("countries", "language"): "In which of these countries do people speak {x}?",
    ("people", "town"): "Which of these people lives in {x}?",
    ("people", "job"): "Which of these people is {x}?",
    ("people", "pet"): "Which of these people has {x}?",
}
_BY_TEMPLATE = {
    name: [f for f in FACTS if (f.kind, f.attribute.name) == name and len(f.other_subjects) >= 3] for name in ASKED
}


def which_of_these(rng: Random, held_out: bool = False) -> Question:
    """A question whose right answer is a subject with the property; by the fact, held out or not."""
    while True:
        name = rng.choice(list(ASKED))
        fact: Fact = rng.choice(_BY_TEMPLATE[name])
        if fact.held_out == held_out:
            break
    options = tuple(fact.with_article(s) for s in fact.other_subjects)
    text = ASKED[name].format(x=fact.answer)
    return Question(fact.key, "which", text, fact.with_article(fact.subject), fact.fill(fact.attribute.statements[0]), options)


_ASKING = [(name, re.compile(re.escape(template).replace(r"\{x\}", "(?P<x>.+)"))) for name, template in ASKED.items()]
_BY_SUBJECT = {(f.kind, f.attribute.name, f.with_article(f.subject)): f for f in FACTS}


def property_asked(question: str) -> tuple[tuple[str, str], slice] | None:
    """Of "Which of these animals eats grass?" what is compared, ("animals", "eats"), and where "grass" stands in it."""
    for name, asking in _ASKING:
        if match := asking.fullmatch(question):
            return name, slice(*match.span("x"))
    return None


def fact_about(name: tuple[str, str], option: str) -> Fact | None:
    """What an option, as "a cow", is or does in that; nothing where the fact must not be asked for."""
    fact = _BY_SUBJECT.get((*name, option))
    return None if fact is None or fact.held_out else fact
