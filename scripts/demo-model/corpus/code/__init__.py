"""Small Python functions in HumanEval's format: a grid of ideas, part of whose combinations training never sees."""

from .documents import function_document
from .idea import left_out
from .making import Function, function

__all__ = ["Function", "function", "function_document", "left_out"]
