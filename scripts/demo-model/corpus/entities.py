"""Characters, things and places with the forms that a sentence needs."""

from dataclasses import dataclass

from .grammar import article, capital

FORMS = {"m": ("he", "him", "his", "himself"), "f": ("she", "her", "her", "herself")}


@dataclass(frozen=True)
class Character:
    """`{A}` prints the name; `{A.he}`, `{A.his}` … print the pronouns, `{A.He}` with a capital."""

    name: str
    gender: str  # "m" or "f"
    kind: str  # girl, boy, fox, …
    trait: str = "little"

    def __str__(self) -> str:
        return self.name

    def __getattr__(self, form: str) -> str:
        pronouns = dict(zip(("he", "him", "his", "himself"), FORMS[self.gender]))
        word = pronouns.get(form.lower())
        if word is None:
            raise AttributeError(form)
        return capital(word) if form[0].isupper() else word

    @property
    def intro(self) -> str:
        return f"{article(self.trait + ' ' + self.kind)} named {self.name}"

    @property
    def is_animal(self) -> bool:
        return self.kind not in ("girl", "boy", "woman", "man")


@dataclass(frozen=True)
class Thing:
    """`{T.a}` prints "a red ball", `{T.the}` "the red ball", `{T}` "ball"."""

    noun: str
    adjective: str = ""

    def __str__(self) -> str:
        return self.noun

    @property
    def plural(self) -> str:
        if self.noun.endswith("y") and self.noun[-2] not in "aeiou":
            return self.noun[:-1] + "ies"
        return self.noun + ("es" if self.noun.endswith(("ch", "sh", "s", "x")) else "s")

    @property
    def full(self) -> str:
        return f"{self.adjective} {self.noun}".strip()

    @property
    def a(self) -> str:
        return article(self.full)

    @property
    def the(self) -> str:
        return "the " + self.full


@dataclass(frozen=True)
class Place:
    """`{P}` prints "the park", `{P.at}` "at the park"."""

    name: str
    preposition: str

    def __str__(self) -> str:
        return self.name

    @property
    def at(self) -> str:
        return f"{self.preposition} {self.name}"
