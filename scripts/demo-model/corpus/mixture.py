"""How often each kind of document comes, and the stream of documents."""

from collections.abc import Iterator
from random import Random

from .blanks import blank_document, filled_document
from .chat import conversation
from .code import function_document
from .descriptions import description
from .endings import ending_document
from .questions import multiple_choice, trivia
from .stories import story

# Shares of documents, not of bytes.
SHARES = {
    "story": 0.23, "chat": 0.19, "choice": 0.18, "ending": 0.02, "trivia": 0.04, "blank": 0.08, "filled": 0.03,
    "code": 0.13, "description": 0.10,
}  # fmt: skip
MAKERS = {
    "story": lambda rng: story(rng).text,
    "chat": conversation,
    "choice": multiple_choice,
    "ending": ending_document,
    "trivia": trivia,
    "blank": blank_document,
    "filled": filled_document,
    "code": function_document,
    "description": description,
}


def document(seed: int, index: int) -> tuple[str, str]:
    """(kind, text) of one document; it depends on the seed and the index only."""
    rng = Random(f"{seed}:{index}")
    kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
    return kind, MAKERS[kind](rng)


def documents(seed: int, count: int) -> Iterator[tuple[str, str]]:
    return (document(seed, index) for index in range(count))
