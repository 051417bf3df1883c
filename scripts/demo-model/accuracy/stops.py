"""Where a continuation ends. A stop is looked for in the decoded text, never in the prompt."""

import re

_LINE = re.compile(r"\S[^\n]*(\n)")
_DEDENT = re.compile(r"\n(?=\S)")


def line_stop(text: str) -> int | None:
    """The first newline after a character that is not a space: the answer is one line."""
    found = _LINE.search(text)
    return found.start(1) if found else None


def dedent_stop(text: str) -> int | None:
    """The first line after the first that starts with something else than a space: the function's body is over."""
    found = _DEDENT.search(text)
    return found.start() + 1 if found else None
