"""The facts of the demo model's world, as statements and as questions."""

from .fact import Fact, Question
from .tables import ASKED, FACTS, NEVER_ASKED, known_answer, question, statement, telling

__all__ = ["ASKED", "FACTS", "NEVER_ASKED", "Fact", "Question", "known_answer", "question", "statement", "telling"]
