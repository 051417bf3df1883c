"""What the model can answer: greedy answers to fresh questions in the eval formats, functions that run."""

from random import Random

import sentencepiece
from transformers import PersimmonForCausalLM

from corpus.chat import reading
from corpus.questions import fill_in_the_blank, multiple_choice, trivia
from generation import continue_text


def _answers(model, tokenizer, end, make, rng: Random, count: int, mark: str, tokens: int) -> float:
    """Share of documents whose last answer (after the last `mark`) is continued exactly."""
    right = 0
    for _ in range(count):
        document = make(rng)
        at = document.rindex(mark) + len(mark)
        answer = continue_text(model, tokenizer, document[:at], end, tokens).text
        right += answer == document[at:]
    return right / count


def abilities(
    model: PersimmonForCausalLM, tokenizer: sentencepiece.SentencePieceProcessor, end: int, count: int
) -> dict[str, float]:
    """Fresh documents from another seed. Their facts and templates are those of the training text."""
    args = (model, tokenizer, end)
    return {
        "multiple choice (chance 0.25)": _answers(*args, multiple_choice, Random(7001), count, "Answer:", 4),
        "fill in the blank (chance 0.50)": _answers(*args, fill_in_the_blank, Random(7002), count, "Answer:\n", 4),
        "trivia, exact words": _answers(*args, trivia, Random(7003), count, "\nA:", 16),
        "last question on a story, exact sentence": _answers(*args, reading, Random(7004), count, "\n\nadept:", 40),
    }


