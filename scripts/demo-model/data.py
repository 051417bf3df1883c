"""Documents to token rows: generated, encoded and packed once, kept as an array of 16-bit ids."""

from dataclasses import dataclass
from pathlib import Path

import numpy
import sentencepiece

from corpus import documents
from settings import Settings
from tokenizer_training import end_of_text_id, train_tokenizer


@dataclass
class Data:
    train: numpy.ndarray  # uint16, |ENDOFTEXT| before every document
    held_out: list[list[int]]  # one id list per document, |ENDOFTEXT| at both ends
    held_out_texts: list[tuple[str, str]]  # (kind, text)
    end: int  # id of |ENDOFTEXT|
    tokenizer: sentencepiece.SentencePieceProcessor
    train_bytes: int  # UTF-8 bytes of the training documents


def prepare(settings: Settings, work: Path, output: Path) -> Data:
    """Trains the tokenizer into `output` unless it is there, and encodes the corpus."""
    texts = [text for _, text in documents(settings.seed, settings.documents)]
    seen = set(texts)
    # The held-out documents come from another seed; a short one that the training set has too is left out.
    held_out = [d for d in documents(settings.seed + 1000, 4 * settings.held_out_documents) if d[1] not in seen]
    held_out = list(dict.fromkeys(held_out))[: settings.held_out_documents]
    if not (output / "tokenizer.model").exists():
        train_tokenizer(texts[: settings.tokenizer_documents], settings.vocabulary, settings.seed, output)
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(output / "tokenizer.model"))
    end = end_of_text_id(tokenizer)
    ids_file = work / "train.npy"
    if ids_file.exists():
        train = numpy.load(ids_file)
    else:
        parts = []
        for start in range(0, len(texts), 1000):
            for ids in tokenizer.encode(texts[start : start + 1000]):
                parts += [end, *ids]
        train = numpy.array(parts, dtype=numpy.uint16)
        numpy.save(ids_file, train)
    encoded = [[end, *tokenizer.encode(text), end] for _, text in held_out]
    return Data(train, encoded, held_out, end, tokenizer, sum(len(t.encode()) for t in texts))


def batch(data: Data, settings: Settings, step: int) -> numpy.ndarray:
    """Rows [rows, context + 1] of step `step`: random starts, the same for the same seed and step."""
    starts = numpy.random.default_rng((settings.seed, step)).integers(
        0, len(data.train) - settings.context - 1, size=settings.rows
    )
    return numpy.stack([data.train[s : s + settings.context + 1] for s in starts]).astype(numpy.int64)
