"""Fill-in-the-blank items in the manner of Winogrande: two names, and a reason that fits only one of them."""

from dataclasses import dataclass
from random import Random

from .blank_frames import CHILDREN, FAMILIES, Family
from .split import held_out as is_held_out

BLANK = (
    "You are a bot that is responsible for answering fill-in-the-blank questions. You are provided with a sentence "
    "and two possible fill-in-the-blank options. Your task is to return 1 or 2 as the answer.\n"
)

HELD_OUT_SHARE = 0.15


@dataclass(frozen=True)
class Blank:
    """`sentence` has one `_` and ends with a full stop; both options stand in it once. `answer`: "1" or "2"."""

    key: str
    kind: str
    sentence: str
    option1: str
    option2: str
    answer: str


@dataclass(frozen=True)
class Cell:
    """One combination of the grid: a frame with a reason, and the role that the reason fits."""

    key: str
    family: Family
    frame: str
    role: str
    reason: str

    @property
    def held_out(self) -> bool:
        return is_held_out(self.key, HELD_OUT_SHARE)

    @property
    def first_mention(self) -> bool:
        """Whether the one that is meant comes first in the sentence."""
        text = self.family.frames[self.frame]
        return all(text.index(f"{{{self.role}}}") <= text.index(f"{{{role}}}") for role in self.family.reasons)


def _cells(family: Family) -> list[Cell]:
    return [
        Cell(f"blank:{frame}|{reason}", family, frame, role, reason)
        for frame in family.frames
        for role, reasons in family.reasons.items()
        for reason in reasons
    ]


GRID = [cell for family in FAMILIES for cell in _cells(family)]
# The cells of the training text (False) and of the evaluation (True).
PARTS = {part: [cell for cell in GRID if cell.held_out == part] for part in (False, True)}


def _fill(rng: Random, cell: Cell) -> Blank:
    family, used = cell.family, []
    for role in family.reasons:
        used.append(rng.choice([f for f in family.fillers.get(role, CHILDREN) if f not in used]))
    roles = dict(zip(family.reasons, used))
    extras = {name: rng.choice(values) for name, values in family.extras.items()}
    sentence = family.frames[cell.frame].format(**roles, **extras) + f"{family.link} {cell.reason}."
    option1, option2 = rng.sample(used, 2)
    return Blank(cell.key, family.kind, sentence, option1, option2, "1" if roles[cell.role] == option1 else "2")


def blank(rng: Random, held_out: bool = False) -> Blank:
    """An item of the training text, or one whose combination of frame and reason the training text leaves out."""
    return _fill(rng, rng.choice(PARTS[held_out]))


def blank_text(item: Blank, with_answer: bool = True) -> str:
    """The item as a prompt asks it. The sentence keeps its full stop, so there are two."""
    text = f"Q: {item.sentence}. 1 = {item.option1} and 2 = {item.option2}. Answer:"
    return f"{text}\n{item.answer}" if with_answer else text


def filled(item: Blank) -> str:
    """The sentence with the right option in place of the blank."""
    return item.sentence.replace("_", item.option1 if item.answer == "1" else item.option2)


def blank_document(rng: Random) -> str:
    """The instruction and three to nine items with their answers."""
    return BLANK + "\n\n".join(blank_text(blank(rng)) for _ in range(rng.randint(3, 9)))


def filled_document(rng: Random) -> str:
    """Four to eight sentences of the same grid, without blanks."""
    return " ".join(filled(blank(rng)) for _ in range(rng.randint(4, 8)))
