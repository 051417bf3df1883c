"""Rows and weights: the same whatever the number of processes, whole documents first, answers marked."""

import os
import sys
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy

from corpus import documents
from data import answers, batch, prepare
from settings import smoke, with_steps

SETTINGS = replace(with_steps(smoke(), 30), held_out_documents=8)


class Rows(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = Path(cls.folder.name)
        cls.data = prepare(SETTINGS, cls.work)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_they_hold_the_documents_of_the_seed_in_order(self):
        """Put together by hand from the documents: what the end of a row cuts begins the next one again."""
        length, end = SETTINGS.context + 1, self.data.end
        wanted = []
        for number, phase in enumerate(SETTINGS.phases):
            wanted += self.rows_of(documents(SETTINGS.seed + number, 3000, phase.shares), length, end, phase.steps)
        self.assertGreater(len(SETTINGS.phases), 1)
        self.assertEqual(self.data.rows.tolist(), wanted)

    def rows_of(self, texts, length: int, end: int, steps: int) -> list[list[int]]:
        rows, row = [], []
        for _, text in texts:
            ids = [end, *self.data.tokenizer.encode(text)]
            begins_row = row == []
            row = row + ids
            if len(row) >= length:
                rows.append(row[:length])
                row = [] if begins_row else ids[:length]
            if len(rows) == SETTINGS.rows * steps:
                return rows
        raise AssertionError("not enough documents")

    def test_the_number_of_processes_does_not_matter(self):
        for count in (1, 3):
            with tempfile.TemporaryDirectory() as other, mock.patch.object(os, "cpu_count", lambda n=count: n):
                (Path(other) / "tokenizer.model").write_bytes((self.work / "tokenizer.model").read_bytes())
                data = prepare(SETTINGS, Path(other))
            self.assertTrue(numpy.array_equal(data.rows, self.data.rows))
            self.assertEqual(data.held_out_texts, self.data.held_out_texts)
            self.assertEqual((data.documents, data.bytes), (self.data.documents, self.data.bytes))

    def test_what_was_trained_elsewhere_needs_no_rows(self):
        with tempfile.TemporaryDirectory() as other:
            for name in ("tokenizer.model", f"corpus-{SETTINGS.rows * SETTINGS.steps}.json"):
                (Path(other) / name).write_bytes((self.work / name).read_bytes())
            data = prepare(SETTINGS, Path(other), rows_too=False)
            self.assertIsNone(data.rows)
            self.assertEqual(data.held_out, self.data.held_out)
            self.assertEqual(data.tokens, self.data.tokens)
            self.assertEqual(prepare(SETTINGS, Path(other)).rows.tolist(), self.data.rows.tolist())

    def test_answers_are_marked_and_nothing_else(self):
        text = "Question: x\nAnswer: B\n\nQ: y. Answer:\n2\n\nA: z"
        ids = self.data.tokenizer.encode(text)
        marked = answers(numpy.array([ids], dtype=numpy.uint16), self.data.tokenizer)[0]
        predicted = [self.data.tokenizer.id_to_piece(ids[i + 1]) for i in numpy.flatnonzero(marked)]
        self.assertEqual([piece.removeprefix("▁") for piece in predicted], ["B", "2"])

    def test_a_step_takes_its_own_rows(self):
        ids, weights = batch(self.data, SETTINGS, 3)
        self.assertEqual(ids.tolist(), self.data.rows[3 * SETTINGS.rows : 4 * SETTINGS.rows].tolist())
        self.assertEqual(weights.shape, (SETTINGS.rows, SETTINGS.context))
        self.assertLessEqual(set(weights.flatten().tolist()), {1.0, SETTINGS.phases[0].answer_weight})


if __name__ == "__main__":
    unittest.main()
