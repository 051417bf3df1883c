"""The measure of conversations: which plot a story has, and counts of replies that are known to be right or wrong."""

import re
import sys
import unittest
from pathlib import Path
from random import Random
from types import SimpleNamespace
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import conversation
from conversation import PlotOf
from corpus.facts import FACTS
from corpus.plots import tell
from corpus.stories import PLOTS

ANSWERS = {q.text: q.sentence for f in FACTS for q in (f.question(n, 0) for n in range(f.wordings))}


def talks(model, _tokenizer, prompt: str, *_rest):
    """What it is told to be: one that does as it is asked, or one that always says the same."""
    question = re.fullmatch(r"human: (.*)\n\nadept:", prompt)[1]
    text = ANSWERS.get(question) or question if model == "good" else "Once there was a stone."
    return SimpleNamespace(text=f" {text}\n\nhuman: and a fox, Leo, Paris?")


class Plots(unittest.TestCase):
    def test_stories_that_it_has_not_seen_have_the_plot_they_were_made_from(self):
        plot_of, rng = PlotOf(), Random(5)
        for number, plot in enumerate(PLOTS):
            for _ in range(3):
                self.assertEqual(plot_of(tell(rng, plot).text), number, plot.topic)


class Conversations(unittest.TestCase):
    def measured(self, model: str) -> dict:
        with mock.patch.object(conversation, "continue_text", talks):
            return conversation.conversation(model, None, 0, most=3, facts=20)

    def test_who_answers_what_is_asked_is_right(self):
        found = self.measured("good")
        for key in ("animal", "name", "asked", "never_asked"):
            self.assertEqual(found[key]["correct"], found[key]["n"], key)
        self.assertEqual([found[key]["n"] for key in found], [520, 12, 3, 3, 20, 20])
        self.assertEqual(found["corpus"]["correct"], 520)

    def test_who_does_not_is_wrong_and_what_comes_after_the_reply_does_not_count(self):
        found = self.measured("bad")
        for key in ("animal", "name", "asked", "never_asked"):
            self.assertEqual(found[key]["correct"], 0, key)
        self.assertLess(found["plot"]["correct"], 6)


if __name__ == "__main__":
    unittest.main()
