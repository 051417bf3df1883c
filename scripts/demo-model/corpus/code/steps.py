"""Two steps one after the other, on a number, on two numbers and on a text."""

import re

from .idea import SINGLE, Idea, checks

# (key, action on <it>, expression of <it>); the first step gets the constant {j} for {k}.
NUMBER_STEPS = [
    ("add", "*add {k} to <it>", "<it> + {k}"),
    ("subtract", "*subtract {k} from <it>", "<it> - {k}"),
    ("multiply", "*multiply <it> by {k}", "<it> * {k}"),
    ("halve", "*halve <it>, rounding down", "<it> // 2"),
    ("square", "*square <it>", "<it> ** 2"),
    ("negate", "*negate <it>", "-<it>"),
    ("absolute", "*take the absolute value of <it>", "abs(<it>)"),
    ("larger", "*take the larger of <it> and {k}", "max(<it>, {k})"),
]
# (key, noun, expression) of two numbers.
PAIRS = [
    ("sum", "the sum of {a} and {b}", "{a} + {b}"),
    ("difference", "{a} minus {b}", "{a} - {b}"),
    ("product", "the product of {a} and {b}", "{a} * {b}"),
    ("larger", "the larger of {a} and {b}", "max({a}, {b})"),
    ("smaller", "the smaller of {a} and {b}", "min({a}, {b})"),
    ("distance", "the absolute difference of {a} and {b}", "abs({a} - {b})"),
]
# (key, what holds of <it>, condition) of a number made of two numbers.
FACTS = [
    ("even", "<it> is even", "<it> % 2 == 0"),
    ("odd", "<it> is odd", "<it> % 2 == 1"),
    ("positive", "<it> is positive", "<it> > 0"),
    ("negative", "<it> is negative", "<it> < 0"),
    ("above", "<it> is greater than {k}", "<it> > {k}"),
    ("below", "<it> is less than {k}", "<it> < {k}"),
    ("divisible", "<it> is divisible by {k}", "<it> % {k} == 0"),
]
# Steps from a text to a text; the first one gets the constant {s} for {t}.
TEXT_STEPS = [
    ("upper", "*convert <it> to upper case", "<it>.upper()"),
    ("lower", "*convert <it> to lower case", "<it>.lower()"),
    ("reverse", "*reverse <it>", "<it>[::-1]"),
    ("repeat", "*repeat <it> {t} times", "<it> * {t}"),
    ("exclaim", "*put an exclamation mark after <it>", '<it> + "!"'),
    ("greet", "*put the word Hello and a space before <it>", '"Hello " + <it>'),
    ("remove", "*remove every letter {p} from <it>", '<it>.replace("{p}", "")'),
    ("replace", "*replace every letter {p} in <it> by {q}", '<it>.replace("{p}", "{q}")'),
    ("start", "*take the first {t} characters of <it>", "<it>[:{t}]"),
    ("end", "*take the last {t} characters of <it>", "<it>[-{t}:]"),
    ("drop", "*drop the first {t} characters of <it>", "<it>[{t}:]"),
    ("spaces", "*replace every space in <it> by a dash", '<it>.replace(" ", "-")'),
]
# Steps from a text to something else: only as the last one.
TEXT_ENDS = [
    ("length", "*return the length of <it>", "len(<it>)", "int"),
    ("count", "*count how often the letter {q} occurs in <it>", '<it>.count("{q}")', "int"),
    ("starts", "*check whether <it> starts with {q}", '<it>.startswith("{q}")', "bool"),
    ("ends", "*check whether <it> ends with {q}", '<it>.endswith("{q}")', "bool"),
    ("contains", "*check whether <it> contains the letter {q}", '"{q}" in <it>', "bool"),
    ("letters", "*return a list of the characters of <it>", "list(<it>)", "List[str]"),
    ("split", "*split <it> into a list of words", "<it>.split()", "List[str]"),
    ("palindrome", "*check whether <it> reads the same backwards", "<it> == <it>[::-1]", "bool"),
]


def within(outer: str, inner: str) -> str:
    """The inner expression in the outer one's place, in parentheses where it needs them."""
    call = inner.startswith(("abs(", "max(", "min("))
    loose = not call and (" " in inner.replace('" "', "").replace(", ", "") or inner.startswith("-"))
    bare = any(around in outer for around in ("(<it>)", "(<it>,"))
    return outer.replace("<it>", f"({inner})" if loose and not bare else inner)


SWAPPED = str.maketrans("pq", "qp")


def other_letter(template: str) -> str:
    """The same step with {q} for {p} and {p} for {q}, so that it does not look for a letter that is gone."""
    return re.sub(r"\{[pq]\}", lambda match: match.group().translate(SWAPPED), template)


def sensible(first: tuple, second: tuple) -> bool:
    """Whether the second step of a text does something after the first."""
    if first[0] == second[0] or second[0] == "palindrome":  # which would need the first step's expression twice
        return False
    if first[0] == "upper" and re.search(r"\{[pq]\}", second[2]):  # small letters
        return False
    if first[0] in ("start", "end") and second[0] in ("start", "end", "drop", "length"):  # nothing, or always the same
        return False
    return (first[0], second[0]) not in {("exclaim", "ends"), ("greet", "starts"), ("greet", "start")}


def sequence(kind: str, parameter: str, first: tuple, second: tuple, result: str) -> Idea:
    """One step, then another on its result."""
    shifted = [part.replace("{k}", "{j}").replace("{t}", "{s}") for part in first[1:]]
    begin = shifted[0].replace("<it>", "{a}")
    following = second[1].replace("<it>", "the result")
    wordings = (
        f"{begin}, then {following}",
        f"{begin} and {following}",
        f"*take {{a}}, {shifted[0].replace('<it>', 'it')}, then {following}",
    )
    inner = shifted[1].replace("<it>", "{a}")
    name = f"{first[0]}_then_{second[0]}"
    body = f"return {within(second[2], inner)}"
    return Idea(f"code:{kind}|{first[0]}|{second[0]}", kind, name, (parameter,), result, wordings, body)


def pairs() -> list[Idea]:
    made = []
    for key, noun, expression in PAIRS:
        wordings = tuple(f"*{verb} {noun}" for verb in ("return", "compute", "find"))
        made.append(Idea(f"{SINGLE}{key} of two", "single", f"{key}_of_two", ("number", "second"), "int", wordings,
                         f"return {expression}"))  # fmt: skip
        for fact, says, condition in FACTS:
            if (key, fact) == ("distance", "negative"):  # never so
                continue
            name, body = f"{key}_is_{fact}", f"return {within(condition, expression)}"
            made.append(Idea(f"code:pair|{key}|{fact}", "pair", name, ("number", "second"), "bool",
                             checks(says.replace("<it>", noun)), body))  # fmt: skip
        for step, action, result in NUMBER_STEPS:
            said = action.replace("<it>", noun)
            wordings = (said, f"*compute {noun}, then {action.replace('<it>', 'the result')}")
            made.append(Idea(f"code:pair|{key}|{step}", "pair", f"{step}_{key}", ("number", "second"), "int",
                             wordings, f"return {within(result, expression)}"))  # fmt: skip
    return made


def singles() -> list[Idea]:
    """Every text step alone: what the sequences are made of."""
    steps = [(*step, "str") for step in TEXT_STEPS] + TEXT_ENDS
    return [
        Idea(f"{SINGLE}{key} text", "single", f"{key}_text", ("text",), result,
             (action.replace("<it>", "{a}"),), f"return {expression.replace('<it>', '{a}')}")
        for key, action, expression, result in steps
    ]  # fmt: skip


def ideas() -> list[Idea]:
    numbers = [
        sequence("steps", "number", one, two, "int")
        for one in NUMBER_STEPS
        for two in NUMBER_STEPS
        if one[0] != two[0] or "{k}" in one[2]  # to negate twice, for instance, is no task
    ]
    ends = [(*step, "str") for step in TEXT_STEPS] + TEXT_ENDS
    texts = [
        sequence("text", "text", one, tuple(map(other_letter, two[:3])) if two[3] == "str" else two[:3], two[3])
        for one in TEXT_STEPS
        for two in ends
        if sensible(one, two)
    ]
    return numbers + texts + pairs() + singles()
