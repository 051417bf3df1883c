"""Multiple choice that needs no knowledge: the question names the option. From these a model first learns what the
letters are for; without them it took the same letter always, after three million tokens."""

from random import Random

from .facts import FACTS, Question

ASKED = ["Which option says {x}?", "Which letter stands before {x}?", "Where do you read {x}?", "Find {x}."]


def echo_question(rng: Random) -> Question:
    """Four answers of one kind, or of any kinds."""
    fact = rng.choice(FACTS)
    pool = fact.others if rng.random() < 0.5 else [rng.choice(FACTS).answer for _ in range(6)]
    options = tuple(dict.fromkeys(x for x in pool if x != fact.answer))
    text = rng.choice(ASKED).format(x=fact.answer)
    return Question(f"echo:{fact.key}", "echo", text, fact.answer, fact.answer, options)
