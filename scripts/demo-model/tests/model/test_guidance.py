"""Where the guided heads are told to look, on sequences whose patterns are written down by hand, and the losses."""

import math
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy
import sentencepiece
import torch

from guidance import HEADS, RARE, Guidance

TOKENIZER = sentencepiece.SentencePieceProcessor(model_file=str(ROOT / "models" / "demo" / "tokenizer.model"))
END = TOKENIZER.piece_to_id("|ENDOFTEXT|")
CAT, DOG, FOX, OFTEN = (TOKENIZER.encode(word)[0] for word in ("cat", "dog", "fox", "the"))
SHARES = numpy.zeros(TOKENIZER.vocab_size())
SHARES[[OFTEN, END]] = 2 * RARE


def begun(ids: list[int]) -> Guidance:
    guidance = Guidance(TOKENIZER, END, SHARES)
    guidance.begin(numpy.array([ids]), "cpu")
    return guidance


def looks(guidance: Guidance, name: str) -> dict[int, list[int]]:
    """Position to the positions that it is told to look at."""
    pattern = guidance.patterns[name]
    return {int(p): a.nonzero().flatten().tolist() for p, a in zip(pattern.positions, pattern.allowed)}


class Patterns(unittest.TestCase):
    #        0    1    2    3      4    5    6    7 (only predicted)
    IDS = [END, CAT, DOG, OFTEN, FOX, CAT, DOG, OFTEN]

    def test_same_token_else_the_beginning(self):
        self.assertEqual(looks(begun(self.IDS), "same"), {1: [0], 2: [0], 4: [0], 5: [1], 6: [2]})

    def test_induction_is_what_followed_and_is_right(self):
        """At 5 (cat) what followed cat before, the dog at 2. At 6 the frequent token is not worth it. At 3 nothing is known."""
        self.assertEqual(looks(begun(self.IDS), "induction"), {3: [0], 5: [2]})

    def test_copy_is_where_the_next_token_stands(self):
        self.assertEqual(looks(begun(self.IDS), "copy"), {4: [1], 5: [2]})

    def test_previous_token(self):
        self.assertEqual(looks(begun(self.IDS), "previous"), {1: [0], 5: [4]})

    def test_nothing_crosses_a_document(self):
        guidance = begun([END, CAT, DOG, END, CAT, DOG, CAT, END])
        self.assertEqual(looks(guidance, "same")[4], [3])
        self.assertEqual(looks(guidance, "copy"), {5: [4]})

    def test_options_look_at_their_letter_and_the_answer_at_its_option(self):
        ids = [END, *TOKENIZER.encode("Question: x?\nA: moo\nB: baa\nAnswer: B"), END]
        guidance = begun(ids)
        labels: dict[str, str] = {}
        for position, (letter,) in looks(guidance, "label").items():
            name = TOKENIZER.decode([ids[letter]])
            labels[name] = labels.get(name, "") + TOKENIZER.decode([ids[position]])
        self.assertEqual(labels, {"A": "moo", "B": "baa"})
        ((position, targets),) = looks(guidance, "answer").items()
        self.assertEqual(TOKENIZER.decode([ids[position + 1]]).strip(), "B")
        self.assertEqual(TOKENIZER.decode([ids[i] for i in targets]), "B baa")
        ((position, (question,)),) = looks(guidance, "question").items()
        self.assertEqual(TOKENIZER.decode([ids[question]]), "?")
        for known, at in ((guidance.at_answer, position), (guidance.at_question, question)):
            word = TOKENIZER.decode(known.words.tolist())
            self.assertTrue(word and word in "baa", word)
            self.assertEqual((known.rows, known.positions), ([0], [at]))


    def test_the_end_of_a_question_looks_at_what_was_told_before_it(self):
        asked = "Question: Tom put the kite in a box. What holds the kite?\nA: den\nB: box\nAnswer: B"
        ids = [END, *TOKENIZER.encode(asked)]
        ((position, targets),) = looks(begun(ids), "told").items()
        self.assertEqual(TOKENIZER.decode(ids[: position + 1])[-10:], " the kite?")
        self.assertEqual([TOKENIZER.decode([ids[i]]) for i in targets], ["box"])
        ((position, targets),) = looks(begun(ids), "asked").items()
        self.assertEqual(TOKENIZER.decode(ids[: position + 1])[-10:], " the kite?")
        self.assertEqual(TOKENIZER.decode([ids[i] for i in targets]), "kite")
        self.assertEqual(targets, [position - 1])
        placed = looks(begun(ids), "placed")
        self.assertEqual(TOKENIZER.decode([ids[i] for i in placed]), "in a box")
        self.assertEqual({TOKENIZER.decode([ids[i] for i in at]) for at in placed.values()}, {"kite"})
        self.assertNotIn("told", begun([END, *TOKENIZER.encode("Q: What does a cow say?\nA: moo")]).patterns)

    def test_a_color_is_found_at_the_thing_behind_it(self):
        asked = "Question: Tom has a red kite and a blue ball. What color is the kite?\nA: red\nB: blue\nAnswer: A"
        ids = [END, *TOKENIZER.encode(asked)]
        guidance = begun(ids)
        self.assertNotIn("told", guidance.patterns)
        ((position, (target,)),) = looks(guidance, "described").items()
        self.assertEqual(TOKENIZER.decode(ids[: target + 1])[-9:], " red kite")
        self.assertEqual(TOKENIZER.decode(ids[: position + 1])[-10:], " the kite?")

    def test_options_that_are_compared_look_at_the_question(self):
        asked = "Question: Which of these animals has four legs?\nA: a newt\nB: a whale\nAnswer: A"
        ids = [END, *TOKENIZER.encode(asked)]
        guidance = begun(ids)
        for position, (target,) in looks(guidance, "compared").items():
            self.assertEqual(TOKENIZER.decode([ids[target]]), "?")
            self.assertIn(TOKENIZER.decode([ids[position]]), ("newt", "whale"))
        self.assertEqual(guidance.at_options.positions, list(looks(guidance, "compared")))
        self.assertEqual([TOKENIZER.decode([w]) for w in guidance.at_options.words.tolist()], ["four", "no"])
        for known in (guidance.at_question, guidance.at_answer):
            self.assertEqual(TOKENIZER.decode(known.words.tolist()), "four")


    def test_the_end_of_a_sum_looks_at_both_numbers_each_for_itself(self):
        ids = [END, *TOKENIZER.encode("Nine minus five is four."), END]
        pattern = begun(ids).patterns["numbers"]
        self.assertEqual({TOKENIZER.decode([ids[p]]) for p in pattern.positions.tolist()}, {"is"})
        seen = [TOKENIZER.decode([ids[i] for i in a.nonzero().flatten().tolist()]) for a in pattern.allowed]
        self.assertEqual(seen, ["Nine", "five"])

    def test_every_sentence_of_a_story_begins_with_a_look_at_its_topic(self):
        ids = [END, *TOKENIZER.encode("human: A story about a lost kite.\n\nadept: Mia was sad. It rained."), END]
        found = looks(begun(ids), "topic")
        self.assertEqual([TOKENIZER.decode([ids[p + 1]]) for p in found][:2], ["Mia", "It"])
        for (topic,) in found.values():
            self.assertEqual(TOKENIZER.decode([ids[topic]]), "lost")


class Losses(unittest.TestCase):
    def test_uniform_attention_costs_the_logarithm_of_the_choices(self):
        guidance = begun(Patterns.IDS)
        length = len(Patterns.IDS) - 1
        probabilities = torch.tril(torch.ones(length, length))
        probabilities = (probabilities / probabilities.sum(-1, keepdim=True)).expand(1, 4, -1, -1)
        guidance.observe(0, probabilities)
        guidance.observe(3, probabilities)
        self.assertAlmostEqual(guidance.losses[0, 0].item(), (math.log(2) + math.log(6)) / 2, places=4)
        self.assertAlmostEqual(guidance.losses[3, 0].item(), (math.log(5) + math.log(6)) / 2, places=4)
        self.assertAlmostEqual(guidance.loss().item(), sum(x.item() for x in guidance.losses.values()), places=5)

    def test_heads_that_the_model_has_not_are_left_out(self):
        guidance = begun(Patterns.IDS)
        guidance.observe(0, torch.full((1, 1, 7, 7), 1 / 7))
        self.assertEqual(list(guidance.losses), [(0, 0)])

    def test_a_batch_without_questions(self):
        guidance = begun(Patterns.IDS)
        self.assertNotIn("answer", guidance.patterns)
        self.assertEqual(guidance.early_answer_loss(None, [torch.zeros(1, 7, 8)] * 6), 0.0)

    def test_every_pattern_has_a_head(self):
        texts = (
            "Question: Tom put the moo away. moo?\nA: moo\nB: baa\nAnswer: A",
            "Question: Tom has a red moo. moo?\nA: red\nB: baa\nAnswer: A",
            "Question: Which of these animals has four legs?\nA: a newt\nB: a whale\nAnswer: A",
            "One plus one is two.",
            "human: A story about a fox.\n\nadept: Once.",
        )
        ids = [token for text in texts for token in (END, *TOKENIZER.encode(text))]
        self.assertEqual(set(begun([*ids, END, CAT, CAT, CAT, DOG]).patterns), set(HEADS.values()))


if __name__ == "__main__":
    unittest.main()
