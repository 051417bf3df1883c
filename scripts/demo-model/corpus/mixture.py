"""How often each kind of document comes, and the stream of documents."""

from collections.abc import Iterator
from random import Random

from .chat import conversation
from .code import function_document
from .descriptions import description
from .questions import question_document
from .stories import story

# Shares of documents, not of bytes: a story is about four times as long as a description or a function.
SHARES = {"story": 0.42, "chat": 0.30, "question": 0.12, "code": 0.09, "description": 0.07}
MAKERS = {
    "story": lambda rng: story(rng).text,
    "chat": conversation,
    "question": question_document,
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
