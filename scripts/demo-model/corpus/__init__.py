"""The training text of the demo model: every line is made by this package, from a seed.

`documents(seed, count)` gives the same documents on every machine. Nothing is downloaded or read.
"""

from .mixture import EVERYTHING, FACTS_AGAIN, LOOKUPS, PRACTICE, QUESTIONS, SHARES, TALK, document, documents

__all__ = ["EVERYTHING", "FACTS_AGAIN", "LOOKUPS", "PRACTICE", "QUESTIONS", "SHARES", "TALK", "document", "documents"]
