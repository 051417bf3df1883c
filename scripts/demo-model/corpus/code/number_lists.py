"""Lists of numbers: map, filter and aggregate, as comprehensions and as loops."""

import re

from .grid import Aggregate, Filter, Map, comprehension, compose, loop
from .idea import Idea, checks

MAPS = [
    Map("same", "<these>", "", "x"),
    Map("squares", "the squares of <these>", "*square each of them", "x * x"),
    Map("cubes", "the cubes of <these>", "*cube each of them", "x ** 3"),
    Map("doubles", "the doubles of <these>", "*double each of them", "x * 2"),
    Map("halves", "the halves, rounded down, of <these>", "*halve each of them, rounding down,", "x // 2"),
    Map("negatives", "the negatives of <these>", "*negate each of them", "-x"),
    Map("absolutes", "the absolute values of <these>", "*take the absolute value of each", "abs(x)"),
    Map("plus", "the results of adding {j} to <these>", "*add {j} to each of them", "x + {j}"),
    Map("minus", "the results of subtracting {j} from <these>", "*subtract {j} from each of them", "x - {j}"),
    Map("times", "the results of multiplying <these> by {j}", "*multiply each of them by {j}", "x * {j}"),
    Map("last digits", "the last digits of <these>", "*take the last digit of each", "abs(x) % 10"),
]
FILTERS = [
    Filter("all", "the numbers in {a}", "", ""),
    Filter("even", "the even numbers in {a}", "is even", "x % 2 == 0"),
    Filter("odd", "the odd numbers in {a}", "is odd", "x % 2 == 1"),
    Filter("positive", "the positive numbers in {a}", "is positive", "x > 0"),
    Filter("negative", "the negative numbers in {a}", "is negative", "x < 0"),
    Filter("above", "the numbers in {a} greater than {k}", "is greater than {k}", "x > {k}"),
    Filter("below", "the numbers in {a} less than {k}", "is less than {k}", "x < {k}"),
    Filter("at least", "the numbers in {a} that are at least {k}", "is at least {k}", "x >= {k}"),
    Filter("divisible", "the numbers in {a} divisible by {k}", "is divisible by {k}", "x % {k} == 0"),
    Filter("between", "the numbers in {a} from {k} to {m}", "is from {k} to {m}", "{k} <= x <= {m}"),
    Filter("other than", "the numbers in {a} other than {k}", "is other than {k}", "x != {k}"),
]

def joined(item: str, expression: str, condition: str) -> str:
    """Each value becomes text before they are joined."""
    tail = f" if {condition}" if condition else ""
    return f'return ",".join(str({expression}) for {item} in {{a}}{tail})'


AGGREGATES = [
    Aggregate("list", "a list of <values>", "*return a list of the results", "List[int]", comprehension("[", "]")),
    Aggregate("sum", "the sum of <values>", "*return the sum of the results", "int", comprehension("sum(", ")")),
    Aggregate("largest", "the largest of <values>, or 0 if there are none",
              "*return the largest result, or 0 if there is none", "int", comprehension("max((", "), default=0)")),
    Aggregate("smallest", "the smallest of <values>, or 0 if there are none",
              "*return the smallest result, or 0 if there is none", "int", comprehension("min((", "), default=0)")),
    Aggregate("sorted", "a list of <values>, sorted from small to large",
              "*sort the results from small to large", "List[int]", comprehension("sorted(", ")")),
    Aggregate("descending", "a list of <values>, sorted from large to small",
              "*sort the results from large to small", "List[int]", comprehension("sorted((", "), reverse=True)")),
    Aggregate("distinct", "how many different values there are among <values>",
              "*count the different results", "int", comprehension("len({", "})")),
    Aggregate("joined", "a text of <values>, joined by commas without spaces",
              "*join the results by commas without spaces", "str", joined),
]  # fmt: skip
LOOPS = [
    Aggregate("product", "the product of <values>, or 1 if there are none", "*return the product of the results, "
              "or 1 if there is none", "int", loop("result = 1", "result *= <value>", "return result")),
    Aggregate("running totals", "a list of the running totals of <values>", "*return a list of their running totals",
              "List[int]",
              loop("total = 0\n    result = []", "total += <value>;result.append(total)", "return result")),
    Aggregate("alternating sum", "the alternating sum (plus, minus, plus and so on) of <values>",
              "*return the alternating sum (plus, minus, plus and so on)", "int",
              loop("total = 0\n    sign = 1", "total += sign * (<value>);sign = -sign", "return total")),
]  # fmt: skip

# What is asked about the numbers that meet a condition: (key, result, wordings, body); <says> is "is even",
# <plural> "the even numbers in {a}".
QUESTIONS = [
    ("count", "int", ("*count <plural>", "*return the count of <plural>"),
     "count = 0\n    for x in {a}:\n        if <condition>:\n            count += 1\n    return count"),
    ("any", "bool", checks("at least one number in {a} <says>"), "return any(<condition> for x in {a})"),
    ("every", "bool", checks("every number in {a} <says>"), "return all(<condition> for x in {a})"),
    ("first", "int", ("*return the first number in {a} that <says>, or None if there is none",
                      "*find the first number in {a} that <says>, or None if no number is like that"),
     "for x in {a}:\n        if <condition>:\n            return x\n    return None"),
    ("last", "int", ("*return the last number in {a} that <says>, or None if there is none",
                     "*find the last number in {a} that <says>, or None if no number is like that"),
     "for x in reversed({a}):\n        if <condition>:\n            return x\n    return None"),
    ("position", "int", ("*return the index of the first number in {a} that <says>, or -1 if there is none",
                         "*find the index of the first number in {a} that <says>, or -1 if no number is like that"),
     "for i, x in enumerate({a}):\n        if <condition>:\n            return i\n    return -1"),
    ("positions", "List[int]", ("*return the indexes at which a number in {a} <says>",
                                "*list every index at which a number in {a} <says>"),
     "return [i for i, x in enumerate({a}) if <condition>]"),
]  # fmt: skip


def questions() -> list[Idea]:
    ideas = []
    for key, result, wordings, body in QUESTIONS:
        for which in FILTERS[1:]:
            if (key, which.key) == ("any", "other than"):  # true of nearly every list
                continue
            parts = {"<says>": which.says, "<plural>": which.plural}
            said = tuple(re.sub("<[a-z]+>", lambda match, parts=parts: parts[match.group()], one) for one in wordings)
            code = body.replace("<condition>", which.condition)
            name = f"{key}_{which.key}".replace(" ", "_")
            ideas.append(Idea(f"code:search|{key}|{which.key}", "search", name, ("numbers",), result, said, code))
    return ideas


def ideas() -> list[Idea]:
    lists = compose("list", "x", "numbers", MAPS, FILTERS, AGGREGATES)
    return lists + compose("loop", "x", "numbers", MAPS, FILTERS, LOOPS) + questions()
