"""What a fact is, and the question that asks for it."""

from dataclasses import dataclass

from ..grammar import article, capital, with_articles
from ..split import held_out

# About this share of the facts is never asked for in training, in any format: the model reads them in statements only.
HELD_OUT_SHARE = 0.2


@dataclass(frozen=True)
class Question:
    """`options` are wrong answers of the same kind; `answer` has one to three words; `sentence` says it in full."""

    key: str
    kind: str
    text: str
    answer: str
    sentence: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Attribute:
    """What can be known of a subject. In the templates {s} is the subject, {a} the same with its article, {x} the answer.

    `backwards` asks for the subject and gives the answer ("Who bakes bread?"); it may be empty. `also` are further
    statements, most of them with the answer first, which only lists of facts use.
    """

    name: str
    questions: tuple[str, ...]
    statements: tuple[str, ...]
    backwards: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fact:
    kind: str  # animals, things, words, countries, work, people
    subject: str
    attribute: Attribute
    answer: str
    others: tuple[str, ...]  # the answers of other subjects to the same question
    other_subjects: tuple[str, ...]  # with other answers
    proper: bool = False  # a name: takes no article

    @property
    def key(self) -> str:
        return f"fact:{self.kind}:{self.subject}:{self.attribute.name}"

    @property
    def held_out(self) -> bool:
        return held_out(self.key, HELD_OUT_SHARE)

    def fill(self, template: str) -> str:
        """The template with this fact in it, as a sentence."""
        text = template.format(s=self.subject, a=self.with_article(self.subject), x=self.answer)
        return with_articles(capital(text))

    def with_article(self, subject: str) -> str:
        return subject if self.proper else article(subject)

    def question(self, wording: int, statement: int) -> Question:
        """The question in one of its wordings, those that ask backwards coming last."""
        sentence = self.fill(self.attribute.statements[statement])
        forward = len(self.attribute.questions)
        if wording < forward:
            text = self.fill(self.attribute.questions[wording])
            return Question(self.key, self.kind, text, self.answer, sentence, self.others)
        text = self.fill(self.attribute.backwards[wording - forward])
        options = tuple(self.with_article(s) for s in self.other_subjects)
        return Question(self.key, self.kind, text, self.with_article(self.subject), sentence, options)

    @property
    def wordings(self) -> int:
        return len(self.attribute.questions) + len(self.attribute.backwards)
