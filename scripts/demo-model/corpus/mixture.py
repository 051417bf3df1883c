"""How often each kind of document comes, and the stream of documents."""

from collections.abc import Iterator
from random import Random

from .blanks import blank_document, filled_document
from .chat import conversation
from .code import function_document
from .descriptions import description
from .endings import ending_document
from .questions import lookups, multiple_choice, trivia
from .stories import story

# Shares of documents, not of bytes: of most of the training text and of the held-out text.
SHARES = {
    "story": 0.23, "chat": 0.19, "choice": 0.18, "ending": 0.02, "trivia": 0.04, "blank": 0.08, "filled": 0.03,
    "code": 0.13, "description": 0.10,
}  # fmt: skip
# A short time with multiple choice that needs no knowledge ("lookup"), in which the letters are learned.
LOOKUPS = {
    "lookup": 0.45, "choice": 0.15, "story": 0.10, "chat": 0.10, "trivia": 0.02, "blank": 0.08, "filled": 0.02,
    "code": 0.04, "description": 0.04,
}  # fmt: skip
# Then questions and the facts that they are about.
QUESTIONS = {
    "lookup": 0.08, "choice": 0.30, "story": 0.13, "chat": 0.13, "ending": 0.02, "trivia": 0.08, "blank": 0.08,
    "filled": 0.02, "code": 0.08, "description": 0.13,
}  # fmt: skip
# At the end everything again, so that nothing is forgotten.
EVERYTHING = {
    "lookup": 0.03, "choice": 0.24, "story": 0.18, "chat": 0.17, "ending": 0.03, "trivia": 0.08, "blank": 0.07,
    "filled": 0.02, "code": 0.13, "description": 0.11,
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
}


def document(seed: int, index: int, shares: dict[str, float] = SHARES) -> tuple[str, str]:
    """(kind, text) of one document; it depends on the seed, the index and the shares only."""
    rng = Random(f"{seed}:{index}")
    kind = rng.choices(list(shares), list(shares.values()))[0]
    return kind, MAKERS[kind](rng)


def documents(seed: int, count: int, shares: dict[str, float] = SHARES) -> Iterator[tuple[str, str]]:
    return (document(seed, index, shares) for index in range(count))
