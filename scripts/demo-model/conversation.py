"""Whether replies keep to what was asked for: stories to the plot, the animal or the name that a request names, answers to
facts.

The plot of a generated story is the one whose words it has: naive Bayes over words, learnt from stories that the corpus makes.
"""

import math
import re
from collections import Counter
from random import Random

from accuracy.wilson import tally
from corpus import words
from corpus.entities import Thing
from corpus.facts import ASKED, NEVER_ASKED
from corpus.plots import tell
from corpus.stories import PLOTS
from generation import continue_text

STORIES_A_PLOT = 60  # that the plots' words are learnt from
ASKED_A_PLOT = 4
OWN_STORIES = 20
TEMPERATURE = 0.7
TOKENS = 240


def words_of(story: str) -> set[str]:
    return set(re.findall(r"[a-z]+", story.lower()))


class PlotOf:
    """The number in PLOTS of the plot that a story has."""

    def __init__(self, seed: int = 1):
        rng = Random(f"plots:{seed}")
        counts = [Counter(w for _ in range(STORIES_A_PLOT) for w in words_of(tell(rng, plot).text)) for plot in PLOTS]
        vocabulary = set().union(*counts)

        def logs(seen) -> dict[str, list[float]]:
            return {w: [math.log((seen(c[w]) + 0.5) / (STORIES_A_PLOT + 1)) for c in counts] for w in vocabulary}

        self.present, self.absent = logs(lambda count: count), logs(lambda count: STORIES_A_PLOT - count)

    def __call__(self, story: str) -> int:
        found = words_of(story)
        logs = [self.present[word] if word in found else self.absent[word] for word in self.present]
        return max(range(len(PLOTS)), key=lambda plot: sum(log[plot] for log in logs))


def conversation(model, tokenizer, end: int, most: int = len(PLOTS), facts: int = 150) -> dict:
    """Of `most` plots, animals and names, and of `facts` facts of each sort; "corpus": the measure on the corpus's own stories.
    Stories are drawn with a temperature of 0.7, replies to questions are greedy; every request is one conversation."""
    plot_of = PlotOf()
    rng = Random("conversation")

    def reply(question: str, temperature: float, seed: int = 0) -> str:
        made = continue_text(model, tokenizer, f"human: {question}\n\nadept:", end, TOKENS if temperature else 30, temperature, seed)
        return made.text.split("\n\nhuman:")[0]

    on_plot, on_animal, on_name = [], [], []
    for number in range(min(most, len(PLOTS))):
        for turn in range(ASKED_A_PLOT):
            topic = tell(rng, PLOTS[number]).topic
            on_plot.append(plot_of(reply(f"Tell me a story about {topic}.", TEMPERATURE, turn)) == number)
    for kind in words.ANIMALS[:most]:
        text = reply(f"Tell me a story about {Thing(kind).a}.", TEMPERATURE, 1)
        on_animal.append(re.search(rf"\b{kind}\b", text) is not None)
    for name in [n for pair in zip(words.GIRLS, words.BOYS) for n in pair][:most]:
        kind = "girl" if name in words.GIRLS else "boy"
        text = reply(f"Tell me a story about a {kind} named {name}.", TEMPERATURE, 1)
        on_name.append(re.search(rf"\b{name}\b", text) is not None)

    def answered(pool) -> list[bool]:
        right = []
        for fact in rng.sample(pool, min(facts, len(pool))):
            asked = fact.question(rng.randrange(fact.wordings), 0)
            right.append(re.search(rf"\b{re.escape(asked.answer.lower())}\b", reply(asked.text, 0.0).lower()) is not None)
        return right

    own = [plot_of(tell(rng, plot).text) == number for number, plot in enumerate(PLOTS) for _ in range(OWN_STORIES)]
    return {
        "corpus": tally(own), "plot": tally(on_plot), "animal": tally(on_animal), "name": tally(on_name),
        "asked": tally(answered(ASKED)), "never_asked": tally(answered(NEVER_ASKED)),
    }  # fmt: skip
