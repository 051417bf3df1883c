"""Functions with an if, and conditions joined by and and or."""

from .idea import Idea, checks

# (key, what holds of {a}, condition); <c> is a constant.
CONDITIONS = [
    ("even", "is even", "{a} % 2 == 0"),
    ("odd", "is odd", "{a} % 2 == 1"),
    ("positive", "is positive", "{a} > 0"),
    ("negative", "is negative", "{a} < 0"),
    ("above", "is greater than <c>", "{a} > <c>"),
    ("below", "is less than <c>", "{a} < <c>"),
    ("divisible", "is divisible by <c>", "{a} % <c> == 0"),
    ("equal", "is equal to <c>", "{a} == <c>"),
]
# (key, noun, expression)
RESULTS = [
    ("plus", "{a} plus <c>", "{a} + <c>"),
    ("minus", "{a} minus <c>", "{a} - <c>"),
    ("times", "{a} times <c>", "{a} * <c>"),
    ("square", "the square of {a}", "{a} * {a}"),
    ("same", "{a}", "{a}"),
    ("negated", "the negative of {a}", "-{a}"),
    ("constant", "<c>", "<c>"),
]
# Conditions that are always or never true, at least for some constants: a test could not tell them from a constant.
CONSTANT = ["negative|above|and", "positive|below|or", "above|below|or", "odd|divisible|and"]


def choices() -> list[Idea]:
    made = []
    for key, says, condition in CONDITIONS:
        for yes, yes_noun, yes_code in RESULTS:
            for no, no_noun, no_code in RESULTS:
                if yes == no:
                    continue
                fact = "{a} " + says.replace("<c>", "{k}")
                then, other = yes_noun.replace("<c>", "{j}"), no_noun.replace("<c>", "{m}")
                wordings = (
                    f"*return {then} if {fact}, otherwise {other}",
                    f"*return {then} if {fact}, and {other} if not",
                    f"*give {then} when {fact}, or else {other}",
                )
                body = (
                    f"if {condition.replace('<c>', '{k}')}:\n        return {yes_code.replace('<c>', '{j}')}\n"
                    f"    return {no_code.replace('<c>', '{m}')}"
                )
                full = f"code:choice|{key}|{yes}|{no}"
                made.append(Idea(full, "choice", f"{yes}_if_{key}_else_{no}", ("number",), "int", wordings, body))
    return made


def joined() -> list[Idea]:
    made = []
    for number, (key, says, condition) in enumerate(CONDITIONS):
        for other, also, second in CONDITIONS[number + 1 :]:
            for word in ("and", "or"):
                # Both of even and odd, or of positive and negative, and anything with an equality: no task.
                if {key, other} in ({"even", "odd"}, {"positive", "negative"}) or "equal" in (key, other):
                    continue
                fact = f"{{a}} {says.replace('<c>', '{k}')} {word} {also.replace('<c>', '{m}')}"
                body = f"return {condition.replace('<c>', '{k}')} {word} {second.replace('<c>', '{m}')}"
                full = f"code:condition|{key}|{other}|{word}"
                name = f"is_{key}_{word}_{other}"
                made.append(Idea(full, "condition", name, ("number",), "bool", checks(fact), body))
    return made


def ideas() -> list[Idea]:
    return choices() + [
        idea
        for idea in joined()
        if idea.key.removeprefix("code:condition|") not in CONSTANT
    ]
