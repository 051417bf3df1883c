"""How often each kind of document comes, and the stream of documents."""

from collections.abc import Iterator
from random import Random

from .chat import conversation
from .descriptions import description
from .functions import functions
from .questions import multiple_choice, trivia
from .stories import story

# Shares of documents, not of bytes.
SHARES = {"story": 0.30, "chat": 0.22, "choice": 0.20, "trivia": 0.05, "code": 0.11, "description": 0.12}
MAKERS = {
    "story": lambda rng: story(rng).text,
    "chat": conversation,
    "choice": multiple_choice,
    "trivia": trivia,
    "code": functions,
    "description": description,
}


def document(seed: int, index: int) -> tuple[str, str]:
    """(kind, text) of one document; it depends on the seed and the index only."""
    rng = Random(f"{seed}:{index}")
    kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
    return kind, MAKERS[kind](rng)


def documents(seed: int, count: int) -> Iterator[tuple[str, str]]:
    return (document(seed, index) for index in range(count))
