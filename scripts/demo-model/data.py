"""Documents to token rows: generated, encoded and packed once, kept as an array of 16-bit ids."""

import json
import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy
import sentencepiece

from corpus import documents
from encoding import digest, encoded_documents
from settings import Settings
from tokenizer_training import end_of_text_id, train_tokenizer


@dataclass
class Data:
    rows: numpy.ndarray | None  # uint16 [rows, context + 1]: every row starts with |ENDOFTEXT| and a whole document
    held_out: list[list[int]]  # one id list per document, |ENDOFTEXT| at both ends
    held_out_texts: list[tuple[str, str]]  # (kind, text)
    end: int  # id of |ENDOFTEXT|
    tokenizer: sentencepiece.SentencePieceProcessor
    documents: int
    bytes: int  # UTF-8 bytes of the training documents
    tokens: int  # their tokens, |ENDOFTEXT| before each included

    def token_shares(self, first: int) -> numpy.ndarray:
        """Share of each token [vocabulary] in the rows from `first` on: two million tokens, or all."""
        counts = numpy.bincount(self.rows[first : first + 5_000].ravel(), minlength=self.tokenizer.vocab_size())
        return counts / counts.sum()


def prepare(settings: Settings, work: Path, rows_too: bool = True) -> Data:
    """Trains the tokenizer unless it is there, and encodes as many documents as the steps will read.

    Without `rows_too` what was trained elsewhere can be exported from tokenizer.model, run.pt and the small corpus-N.json.
    """
    if not (work / "tokenizer.model").exists():
        texts = [text for _, text in documents(settings.seed, settings.tokenizer_documents)]
        train_tokenizer(texts, settings.vocabulary, settings.seed, work)
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(work / "tokenizer.model"))
    end = end_of_text_id(tokenizer)
    number = settings.rows * settings.steps
    rows_file, corpus_file = work / f"rows-{number}.npy", work / f"corpus-{number}.json"
    if not corpus_file.exists() or (rows_too and not rows_file.exists()):
        rows, counts, seen = _pack(settings, work, end)
        _write(rows_file, lambda file: numpy.save(file, rows))
        corpus = {**counts, "held_out": _held_out(settings, seen)}
        _write(corpus_file, lambda file: file.write(json.dumps(corpus, ensure_ascii=False).encode()))
    corpus = json.loads(corpus_file.read_text(encoding="utf-8"))
    held_out = [(kind, text) for kind, text in corpus["held_out"]]
    encoded = [[end, *tokenizer.encode(text), end] for _, text in held_out]
    rows = numpy.load(rows_file, mmap_mode="r") if rows_too else None
    return Data(rows, encoded, held_out, end, tokenizer, corpus["documents"], corpus["bytes"], corpus["tokens"])


def _write(file: Path, write) -> None:
    """Whole or not at all: a run that is stopped here begins again."""
    temporary = file.with_name(f"{file.name}.tmp")
    with open(temporary, "wb") as stream:
        write(stream)
    os.replace(temporary, file)


def _pack(settings: Settings, work: Path, end: int) -> tuple[numpy.ndarray, dict[str, int], set[int]]:
    """Fills rows one after the other, phase by phase; a document that the end of a row cuts starts anew in the next row."""
    length = settings.context + 1
    rows = numpy.empty((settings.rows * settings.steps, length), dtype=numpy.uint16)
    filled, needed, seen = 0, 0, set()
    used = size = tokens = 0
    for number, phase in enumerate(settings.phases):
        needed += settings.rows * phase.steps
        row = []
        with encoded_documents(str(work / "tokenizer.model"), settings.seed + number, phase.shares) as stream:
            while filled < needed:
                text = next(stream)
                document = [end, *text.ids.tolist()]
                used, size, tokens = used + 1, size + text.size, tokens + len(document)
                seen.add(text.digest)
                cut = 0 < len(row) and len(row) + len(document) > length
                row += document
                if len(row) >= length:
                    rows[filled] = row[:length]
                    filled, row = filled + 1, document[:length] if cut else []
    return rows, {"documents": used, "bytes": size, "tokens": tokens}, seen


def _held_out(settings: Settings, seen: set[int]) -> list[tuple[str, str]]:
    """Documents of another seed; one that the training set has too is left out."""
    candidates = (d for d in documents(settings.seed + 1000, 10**9) if digest(d[1]) not in seen)
    return list(islice(candidates, settings.held_out_documents))


def answers(rows: numpy.ndarray, tokenizer: sentencepiece.SentencePieceProcessor) -> numpy.ndarray:
    """Where a row predicts the letter or number that follows "Answer:" (after a space or a newline)."""
    ids = tokenizer.encode("\nAnswer: A")
    colon, newline = ids[-2], tokenizer.piece_to_id("<0x0A>")
    word = ids[-3]
    after = (rows[:, :-2] == word) & (rows[:, 1:-1] == colon)  # at i: "Answer" ":" and then the token i + 2
    found = numpy.zeros((len(rows), rows.shape[1] - 1), dtype=bool)
    found[:, 1:] = after & (rows[:, 2:] != newline)
    on_next_line = after[:, :-1] & (rows[:, 2:-1] == newline)
    found[:, 2:] |= on_next_line
    return found


def batch(data: Data, settings: Settings, step: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Rows [rows, context + 1] of step `step` and the weights [rows, context] of what they predict."""
    rows = data.rows[step * settings.rows : (step + 1) * settings.rows]
    weights = 1 + (settings.phase_at(step)[1].answer_weight - 1) * answers(rows, data.tokenizer)
    return rows.astype(numpy.int64), weights.astype(numpy.float32)
