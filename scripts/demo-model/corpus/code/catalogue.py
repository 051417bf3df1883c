"""All ideas, and which of them training text has."""

from functools import cache

from . import conditions, number_lists, numbers, slices, steps, words
from .idea import Idea, left_out

SOURCES = [numbers, steps, conditions, number_lists, slices, words]


@cache
def by_kind(held_out: bool) -> dict[str, list[Idea]]:
    """The ideas on one side of the split; a kind without any there is absent."""
    kinds: dict[str, list[Idea]] = {}
    for source in SOURCES:
        for idea in source.ideas():
            if left_out(idea.key) == held_out:
                kinds.setdefault(idea.kind, []).append(idea)
    return kinds
