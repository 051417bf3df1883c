"""Accuracy of an exported model on item files: generated answers in Adept's 1-shot formats, and likelihoods.

    from accuracy import read_items, score
    results = score(model, tokenizer, end, read_items(directory))
"""

from .items import read_items
from .scoring import score

__all__ = ["read_items", "score"]
