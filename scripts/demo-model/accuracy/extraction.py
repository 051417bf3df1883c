"""From a continuation to an answer. None: it cannot be read, which counts as wrong and is counted apart."""

import re
import string

from .items import LETTERS

_LETTER = re.compile(r"([A-H])(?:$|[.:),])")
_NUMBER = re.compile(r"\s*([12])(?!\d)")
_PUNCTUATION = re.compile("[" + re.escape(string.punctuation + "‘’´`") + "]")
_ARTICLE = re.compile(r"\b(a|an|the)\b")


def letter(text: str, count: int) -> str | None:
    """The letter of one of `count` options, alone on the first line or before one of . : ) and a comma."""
    first = text.strip().split("\n")[0].strip()
    found = _LETTER.match(first)
    return found[1] if found and found[1] in LETTERS[:count] else None


def number(text: str) -> str | None:
    found = _NUMBER.match(text)
    return found[1] if found else None


def normalised(text: str) -> str:
    """TriviaQA's own normalisation: lower case, no underscores, punctuation or articles, single spaces."""
    text = _PUNCTUATION.sub(" ", text.replace("_", " ").lower())
    return " ".join(_ARTICLE.sub(" ", text).split())


def words(text: str) -> str | None:
    return normalised(text) or None
