"""Documents as token ids, made by all cores: what a GPU reads in ten minutes takes one core an hour to write."""

import hashlib
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import numpy
import sentencepiece

from corpus import document

DOCUMENTS_AT_ONCE = 1000
CHUNKS_A_PROCESS = 4


@dataclass
class Encoded:
    ids: numpy.ndarray  # uint16, without |ENDOFTEXT|
    size: int  # UTF-8 bytes
    digest: int  # of the text


_tokenizer: sentencepiece.SentencePieceProcessor  # of a worker process


def _load(model_file: str) -> None:
    global _tokenizer
    _tokenizer = sentencepiece.SentencePieceProcessor(model_file=model_file)


def digest(text: str) -> int:
    """The same in every process, which hash() is not."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _encode(seed: int, first: int, shares: dict[str, float]) -> list[Encoded]:
    texts = [document(seed, index, shares)[1] for index in range(first, first + DOCUMENTS_AT_ONCE)]
    return [
        Encoded(numpy.array(ids, dtype=numpy.uint16), len(text.encode()), digest(text))
        for text, ids in zip(texts, _tokenizer.encode(texts))
    ]


@contextmanager
def encoded_documents(model_file: str, seed: int, shares: dict[str, float]) -> Iterator[Iterator[Encoded]]:
    """The documents 0, 1, 2, … of a seed, in order and without end, whatever the number of processes."""
    processes = os.cpu_count() or 1
    # A fork could copy a lock that one of PyTorch's threads holds.
    with multiprocessing.get_context("spawn").Pool(processes, _load, (model_file,)) as pool:

        def stream() -> Iterator[Encoded]:
            at_once = processes * CHUNKS_A_PROCESS
            for start in count(0, at_once):
                firsts = [DOCUMENTS_AT_ONCE * chunk for chunk in range(start, start + at_once)]
                for chunk in pool.starmap(_encode, [(seed, first, shares) for first in firsts], chunksize=1):
                    yield from chunk

        yield stream()
