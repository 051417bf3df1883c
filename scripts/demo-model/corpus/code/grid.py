"""Compositions: what is done with each item, which items are taken, and what becomes of them."""

from collections.abc import Callable
from dataclasses import dataclass

from .idea import Idea

INDENT = "    "
COPIES = ["list", "characters", "text"]  # aggregates that give back what they get


@dataclass(frozen=True)
class Map:
    key: str
    noun: str  # "the squares of <these>"
    action: str  # "*square each of them"; empty if the items stay as they are
    expression: str


@dataclass(frozen=True)
class Filter:
    key: str
    plural: str  # "the even numbers in {a}"
    says: str  # "is even"; empty if every item is taken
    condition: str


@dataclass(frozen=True)
class Aggregate:
    key: str
    noun: str  # "the sum of <values>"
    ending: str  # "*return the sum"
    result: str
    body: Callable[[str, str, str], str]  # from the item's variable, the expression and the condition


def comprehension(before: str, after: str) -> Callable[[str, str, str], str]:
    """A body of one line: a comprehension between `before` and `after`."""

    def body(item: str, expression: str, condition: str) -> str:
        tail = f" if {condition}" if condition else ""
        return f"return {before}{expression} for {item} in {{a}}{tail}{after}"

    return body


def loop(start: str, statement: str, end: str) -> Callable[[str, str, str], str]:
    """A body with an accumulator; <value> in the statement is the expression for one item; `;` ends a line."""

    def body(item: str, expression: str, condition: str) -> str:
        lines = [start, f"for {item} in {{a}}:"]
        inner = INDENT
        if condition:
            lines.append(f"{inner}if {condition}:")
            inner += INDENT
        lines += [inner + part for part in statement.replace("<value>", expression).split(";")]
        return f"\n{INDENT}".join([*lines, end])

    return body


def wordings(each: Map, which: Filter, then: Aggregate) -> tuple[str, ...]:
    noun = then.noun.replace("<values>", each.noun.replace("<these>", which.plural))
    steps = f"{which.plural}, {each.action} and {then.ending}" if each.action else f"{which.plural} and {then.ending}"
    return (f"*return {noun}", f"*compute {noun}", f"*take {steps}")


def compose(kind: str, item: str, parameter: str, maps: list, filters: list, aggregates: list) -> list[Idea]:
    """Every combination but those that would give back what they get."""
    ideas = []
    for each in maps:
        for which in filters:
            for then in aggregates:
                if then.key in COPIES and not each.action and not which.says:
                    continue
                # The parameter's kind at the end keeps a name from hiding a built-in function, such as sum.
                parts = [part for part in (then.key, each.key, which.key) if part not in ("same", "all")]
                parts += [] if parts[1:] else [parameter]
                ideas.append(
                    Idea(
                        key=f"code:{kind}|{each.key}|{which.key}|{then.key}",
                        kind=kind,
                        name="_".join(parts).replace(" ", "_"),
                        parameters=(parameter,),
                        result=then.result,
                        wordings=wordings(each, which, then),
                        body=then.body(item, each.expression, which.condition),
                    )
                )
    return ideas
