"""Nothing but facts: by subject, mixed, and by what subjects have in common.

A model answers what it was never asked only if it was told in many ways (Allen-Zhu and Li, "Physics of language models:
part 3.1", 2023), so these lists have more wordings than the descriptions, in both directions.
"""

from random import Random

from .descriptions import SUBJECTS
from .facts import FACTS, NEVER_ASKED, Fact, telling
from .grammar import capital

NEVER_ASKED_SHARE = 0.4  # of a mixed list: what is asked elsewhere need not be told as often
COMMON = {
    ("animals", "class"): "Each of these is {x}",
    ("animals", "covering"): "Animals with {x} on their bodies",
    ("animals", "legs"): "Animals with {x} legs",
    ("animals", "eats"): "Animals that eat {x}",
    ("animals", "lives"): "Animals that live {x}",
    ("things", "material"): "Things made of {x}",
    ("things", "kept"): "Things that people keep {x}",
    ("colors", "color"): "Things that are {x}",
    ("countries", "continent"): "Countries in {x}",
    ("countries", "language"): "Countries where people speak {x}",
    ("people", "town"): "People who live in {x}",
    ("people", "job"): "People who work as {x}",
    ("people", "pet"): "People who have {x}",
    ("people", "food"): "People who like to eat {x}",
    ("people", "hobby"): "People who love {x}",
    ("people", "house"): "People with a house that is {x}",
}
_GROUPS: dict[tuple[str, str, str], list[Fact]] = {}
for _fact in FACTS:
    if (_fact.kind, _fact.attribute.name) in COMMON:
        _GROUPS.setdefault((_fact.kind, _fact.attribute.name, _fact.answer), []).append(_fact)
GROUPS = list(_GROUPS.values())


def by_subject(rng: Random) -> str:
    """Paragraphs about two to five subjects, with all that is known of them."""
    subjects = rng.sample(SUBJECTS, rng.randrange(2, 6))
    return "\n\n".join(" ".join(telling(rng, fact) for fact in rng.sample(facts, len(facts))) for facts in subjects)


def mixed(rng: Random) -> str:
    pools = [NEVER_ASKED if rng.random() < NEVER_ASKED_SHARE else FACTS for _ in range(rng.randrange(10, 24))]
    return " ".join(telling(rng, rng.choice(pool)) for pool in pools)


def _in_common(rng: Random, facts: list[Fact]) -> str:
    """"Animals that eat grass: a cow, a goose, a sheep.", with at most six of them."""
    first = facts[0]
    lead = COMMON[first.kind, first.attribute.name].format(x=first.answer)
    some = rng.sample(facts, min(len(facts), 6))
    names = [f.with_article(f.subject) for f in some]
    return capital(f"{lead}: {', '.join(names)}.")


def in_common(rng: Random) -> str:
    return "\n".join(_in_common(rng, facts) for facts in rng.sample(GROUPS, rng.randrange(4, 10)))


def facts_document(rng: Random) -> str:
    return rng.choice([by_subject, by_subject, mixed, mixed, mixed, in_common])(rng)
