"""A small template language: `[one|other]` is a choice (it nests), `{A.he}` a slot."""

import re
from random import Random

CHOICE = re.compile(r"\[([^\[\]]*)\]")
# A sentence starts at the beginning, after ". ", "! " or "? ", and after a quotation that ends in a full stop.
# A quotation that ends in ! or ? goes on with "said": it is left alone.
SENTENCE_START = re.compile(r"(^|[.!?] |\.\" )([a-z])")

# "a" before a vowel; the word lists have no vowel that sounds like a consonant (unicorn, one).
VOWEL = re.compile(r"\b([Aa]) (?=[aeiou])")


def choose(rng: Random, template: str) -> str:
    """Replaces every `[a|b|c]` by one of its alternatives, innermost first."""
    while match := CHOICE.search(template):
        picked = rng.choice(match.group(1).split("|"))
        template = template[: match.start()] + picked + template[match.end() :]
    return template


def with_articles(text: str) -> str:
    """`an` for `a` where a vowel follows."""
    return VOWEL.sub(r"\1n ", text)


def tidy(text: str) -> str:
    """One space between words, none before punctuation, `an` before vowels, capitals at sentence starts."""
    text = with_articles(re.sub(r"  +", " ", text).strip())
    text = re.sub(r" ([.,!?])", r"\1", text)
    return SENTENCE_START.sub(lambda m: m.group(1) + m.group(2).upper(), text)


def render(rng: Random, template: str, slots: dict) -> str:
    """Chooses, fills the slots and tidies: the usual way from a template to text."""
    return tidy(choose(rng, template).format(**slots))


def article(phrase: str) -> str:
    """`a` or `an`, by the first letter; the word lists avoid words such as hour and unicorn."""
    return ("an " if phrase[0].lower() in "aeiou" else "a ") + phrase


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
