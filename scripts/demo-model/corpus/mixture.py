"""How often each kind of document comes, and the stream of documents."""

from collections.abc import Iterator
from functools import partial
from random import Random

from .blanks import blank_document, filled_document
from .chat import conversation
from .code import function_document
from .descriptions import description
from .endings import ending_document
from .fact_lists import facts_document
from .questions import lookups, multiple_choice, trivia
from .short_texts import short_texts
from .stories import story
from .sums import sums_document
from .talk import talk

# Shares of documents, not of bytes: of most of the training text and of the held-out text.
SHARES = {
    "story": 0.23, "chat": 0.19, "choice": 0.18, "ending": 0.02, "trivia": 0.04, "blank": 0.08, "filled": 0.03,
    "code": 0.13, "description": 0.10,
}  # fmt: skip
# A short time with multiple choice that needs no knowledge ("lookup"), in which the letters are learned, and texts with
# their questions ("reading").
LOOKUPS = {
    "lookup": 0.43, "careful": 0.15, "reading": 0.12, "story": 0.07, "chat": 0.07, "trivia": 0.02, "blank": 0.05,
    "filled": 0.01, "code": 0.04, "facts": 0.04,
}  # fmt: skip
# Then questions and the facts that they are about.
QUESTIONS = {
    "lookup": 0.04, "careful": 0.27, "reading": 0.08, "sums": 0.04, "facts": 0.20, "description": 0.02, "story": 0.07,
    "chat": 0.07, "ending": 0.02, "trivia": 0.08, "blank": 0.04, "filled": 0.01, "code": 0.06,
}  # fmt: skip
# Everything again, so that nothing is forgotten.
EVERYTHING = {
    "lookup": 0.02, "careful": 0.20, "reading": 0.04, "sums": 0.02, "facts": 0.12, "description": 0.05, "story": 0.15,
    "chat": 0.14, "ending": 0.03, "trivia": 0.07, "blank": 0.04, "filled": 0.02, "code": 0.10,
}  # fmt: skip
# At the end more questions and texts that tell, among everything.
PRACTICE = {
    "lookup": 0.02, "careful": 0.28, "reading": 0.06, "sums": 0.02, "facts": 0.14, "description": 0.04, "story": 0.11,
    "chat": 0.11, "ending": 0.02, "trivia": 0.10, "blank": 0.03, "filled": 0.01, "code": 0.06,
}  # fmt: skip
# And last more of the facts, told and asked for.
FACTS_AGAIN = {
    "lookup": 0.02, "careful": 0.28, "reading": 0.02, "sums": 0.01, "facts": 0.22, "description": 0.04, "story": 0.09,
    "chat": 0.09, "ending": 0.02, "trivia": 0.10, "blank": 0.03, "filled": 0.01, "code": 0.07,
}  # fmt: skip
# And conversation that keeps to what was asked for, so that it is not only the letters that come right.
TALK = {
    "lookup": 0.01, "careful": 0.18, "reading": 0.03, "sums": 0.03, "facts": 0.12, "description": 0.03, "story": 0.06,
    "chat": 0.05, "talk": 0.36, "ending": 0.02, "trivia": 0.05, "blank": 0.01, "filled": 0.01, "code": 0.04,
}  # fmt: skip
MAKERS = {
    "story": lambda rng: story(rng).text,
    "chat": conversation,
    "choice": multiple_choice,
    "lookup": lookups,
    "ending": ending_document,
    "trivia": trivia,
    "blank": blank_document,
    "filled": filled_document,
    "code": function_document,
    "description": description,
    "careful": partial(multiple_choice, careful=True),
    "reading": short_texts,
    "facts": facts_document,
    "sums": sums_document,
    "talk": talk,
}


def document(seed: int, index: int, shares: dict[str, float] = SHARES) -> tuple[str, str]:
    """(kind, text) of one document; it depends on the seed, the index and the shares only."""
    rng = Random(f"{seed}:{index}")
    kind = rng.choices(list(shares), list(shares.values()))[0]
    return kind, MAKERS[kind](rng)


def documents(seed: int, count: int, shares: dict[str, float] = SHARES) -> Iterator[tuple[str, str]]:
    return (document(seed, index, shares) for index in range(count))
