"""Story endings to choose from, in the manner of HellaSwag: which sentence comes next?

The wrong sentences are told of the same people, so a name does not give the answer away: what happens does.
"""

import re
from dataclasses import dataclass
from itertools import islice
from random import Random

from .plots import Plot, Story, tell
from .questions import CHOICE, LETTERS
from .stories import PLOTS, story

# A sentence is over after a full stop, and after ! or ?, also at the end of a quotation. What a quotation with ! or ?
# goes on with may belong to it ("Stop!" Anna said), so there only another quotation starts a sentence.
BORDER = re.compile(r"(?<=[.!?]) (?=[A-Z\"])|(?<=\.\") (?=[A-Z\"])|(?<=[!?]\") (?=\")")
# Words of three letters and more that say nothing about what happens.
COMMON = set(
    """about after again all also and any are asked away back because been before best big boy brave but can
    cheerful clever come could cried curious day did down every everyone everything felt for found friend from
    gave gentle get girl going good got great had happy has have heard her here him his home how into its just
    kind knew know last later laughed let like little lived long looked made many may more much must named never
    new next nobody nor not nothing now off old once one only other our out over own put quiet ran sad said saw
    say see she shouted shy small smiled some soon started still such than thank that the their them then there
    they thing this thought time tiny together told too took towards try two under until very want wanted was
    way well went were what when where which while who why will with wondered would yes yet you young your""".split()
)


@dataclass(frozen=True)
class Ending:
    """`ctx` is the beginning of a story, `endings[gold]` the sentence that follows it there."""

    key: str
    ctx: str
    endings: tuple[str, str, str, str]
    gold: int


def sentences(text: str) -> list[str]:
    """The sentences of a story; a quotation of several sentences stays whole."""
    parts, start = [], 0
    for border in BORDER.finditer(text):
        if text.count('"', start, border.start()) % 2 == 0:
            parts.append(text[start : border.start()])
            start = border.end()
    return [*parts, text[start:]]


def _names(told: Story, sentence: str) -> set[str]:
    return {person.name for person in told.people if re.search(rf"\b{person.name}\b", sentence)}


def _content(told: Story, text: str) -> set[str]:
    """The words that say what a text is about, without names and a plural's s."""
    names = {word for person in told.people for word in person.name.lower().split()}
    found = set(re.findall(r"[a-z]{3,}", text.lower())) - COMMON - names
    return {word.removesuffix("s") for word in found}


def _plots(told: Story) -> list[Plot]:
    """Other plots in which the same people can act."""
    unfit = "child" if told.people[0].is_animal else "animal"
    return [plot for plot in PLOTS if plot is not told.plot and plot.people != unfit]


def _cut(rng: Random, told: Story) -> tuple[str, str] | None:
    """The beginning of the story and the next sentence, which goes on with something that was just told."""
    parts = sentences(told.text)
    words = [_content(told, part) for part in parts]
    cuts = [
        n
        for n in range(max(3, len(parts) // 3), len(parts))
        if len(words[n]) > 1 and words[n] & (words[n - 3] | words[n - 2] | words[n - 1])
    ]
    if not cuts:
        return None
    n = rng.choice(cuts)
    return " ".join(parts[:n]), parts[n]


def _wrong(rng: Random, told: Story, plot: Plot, ctx: str, right: str) -> str | None:
    """A later sentence of another plot: the same names, about the same length, nothing that the beginning is about."""
    parts = sentences(tell(rng, plot, people=told.people).text)
    fits = [
        part
        for part in parts[2:-1]
        if _names(told, part) == _names(told, right)
        and len(right) / 2 <= len(part) <= len(right) * 2
        and len(_content(told, part)) > 1
        and not _content(told, part) & _content(told, ctx)
    ]
    return rng.choice(fits) if fits else None


def ending(rng: Random) -> Ending:
    """A beginning and four sentences; the three wrong ones come from three other plots."""
    while True:
        told = story(rng, with_questions=True)  # a story with a plot: what comes next in a wandering one is open
        cut = _cut(rng, told)
        if cut is None:
            continue
        ctx, right = cut
        plots = _plots(told)
        rng.shuffle(plots)
        found = filter(None, (_wrong(rng, told, plot, ctx, right) for plot in plots))
        wrong = list(islice(found, 3))
        if len({right, *wrong}) == 4:
            gold = rng.randrange(4)
            options = (*wrong[:gold], right, *wrong[gold:])
            return Ending(f"ending:{told.topic}", ctx, options, gold)


def ending_document(rng: Random) -> str:
    """Two or three items as multiple choice."""
    items = []
    for _ in range(rng.choice([2, 2, 3])):
        made = ending(rng)
        lines = "".join(f"{letter}: {text}\n" for letter, text in zip(LETTERS, made.endings))
        items.append(f"Question: {made.ctx}\n{lines}Answer: {LETTERS[made.gold]}")
    return CHOICE + "\n\n".join(items)
