"""Functions of one number and a constant, and single ideas about numbers."""

from .idea import SINGLE, Idea, checks, returns

# (key, name, kind of number, result, wordings, body); {k} is replaced by each constant.
WITH_CONSTANT = [
    ("add", "add_{k}", "number", "int",
     ("*add {k} to {a}", "*return {a} plus {k}", "*return the sum of {a} and {k}"), "return {a} + {k}"),
    ("subtract", "subtract_{k}", "number", "int",
     ("*subtract {k} from {a}", "*return {a} minus {k}", "*return {a} decreased by {k}"), "return {a} - {k}"),
    ("subtract from", "subtract_from_{k}", "number", "int",
     ("*subtract {a} from {k}", "*return {k} minus {a}", "*return {k} decreased by {a}"), "return {k} - {a}"),
    ("multiply", "multiply_by_{k}", "number", "int",
     ("*multiply {a} by {k}", "*return {a} times {k}", "*return the product of {a} and {k}"), "return {a} * {k}"),
    ("divide", "divide_by_{k}", "number", "int",
     ("*divide {a} by {k}, rounding down", "*return {a} divided by {k}, rounded down"), "return {a} // {k}"),
    ("remainder", "remainder_{k}", "natural", "int",
     ("*return the remainder of {a} divided by {k}", "*return what remains when {a} is divided by {k}"),
     "return {a} % {k}"),
    ("greater", "is_greater_than_{k}", "number", "bool", checks("{a} is greater than {k}"), "return {a} > {k}"),
    ("less", "is_less_than_{k}", "number", "bool", checks("{a} is less than {k}"), "return {a} < {k}"),
    ("at least", "is_at_least_{k}", "number", "bool", checks("{a} is at least {k}"), "return {a} >= {k}"),
    ("at most", "is_at_most_{k}", "number", "bool", checks("{a} is at most {k}"), "return {a} <= {k}"),
    ("equal", "is_{k}", "number", "bool", checks("{a} is equal to {k}"), "return {a} == {k}"),
    ("divisible", "is_divisible_by_{k}", "number", "bool",
     checks("{a} is divisible by {k}", "{a} is a multiple of {k}"), "return {a} % {k} == 0"),
    ("larger", "at_least_{k}", "number", "int", returns("the larger of {a} and {k}"), "return max({a}, {k})"),
    ("smaller", "at_most_{k}", "number", "int", returns("the smaller of {a} and {k}"), "return min({a}, {k})"),
    ("distance", "distance_to_{k}", "number", "int",
     returns("the distance between {a} and {k}", "the absolute difference of {a} and {k}"), "return abs({a} - {k})"),
    ("clamp", "clamp_to_{k}", "number", "int",
     ("*limit {a} to the range from 0 to {k}", "*return {a}, but 0 if it is negative and {k} if it is above {k}"),
     "if {a} < 0:\n        return 0\n    if {a} > {k}:\n        return {k}\n    return {a}"),
]  # fmt: skip
SINGLES = [
    ("is_even", "number", "bool", checks("{a} is even"), "return {a} % 2 == 0"),
    ("is_odd", "number", "bool", checks("{a} is odd"), "return {a} % 2 == 1"),
    ("square", "number", "int", ("*square {a}", *returns("the square of {a}")), "return {a} * {a}"),
    ("cube", "number", "int", ("*cube {a}", *returns("the cube of {a}")), "return {a} ** 3"),
    ("absolute", "number", "int", returns("the absolute value of {a}", "{a} without its sign"),
     "if {a} < 0:\n        return -{a}\n    return {a}"),
    ("sign", "number", "int", ("*return 1 if {a} is positive, -1 if it is negative and 0 if it is zero",),
     "if {a} > 0:\n        return 1\n    if {a} < 0:\n        return -1\n    return 0"),
    ("digit_sum", "natural", "int", ("*add up the digits of {a}", *returns("the sum of the digits of {a}")),
     "return sum(int(digit) for digit in str({a}))"),
    ("digit_count", "natural", "int", ("*count the digits of {a}", "*return how many digits {a} has"),
     "return len(str({a}))"),
    ("factorial", "small", "int", returns("the factorial of {a}", "the product of the numbers from 1 to {a}"),
     "result = 1\n    for i in range(1, {a} + 1):\n        result *= i\n    return result"),
    ("sum_to", "small", "int", returns("the sum of the numbers from 1 to {a}"), "return sum(range(1, {a} + 1))"),
    ("count_up", "small", "List[int]", ("*return a list of the numbers from 1 to {a}",
     "*list the numbers from 1 to {a}"), "return list(range(1, {a} + 1))"),
    ("count_down", "small", "List[int]", ("*return a list of the numbers from {a} down to 1",
     "*list the numbers from {a} down to 1"), "return list(range({a}, 0, -1))"),
    ("divisors", "natural", "List[int]", ("*return a list of the numbers from 1 to {a} that divide {a}",
     "*list the numbers from 1 to {a} that divide {a}"),
     "return [i for i in range(1, {a} + 1) if {a} % i == 0]"),
]  # fmt: skip


def ideas() -> list[Idea]:
    made = []
    for key, name, kind, result, wordings, body in WITH_CONSTANT:
        for constant in range(2, 61):
            parts = [part.replace("{k}", str(constant)) for part in (name, body, *wordings)]
            full = f"code:number|{key}|{constant}"
            made.append(Idea(full, "number", parts[0], (kind,), result, tuple(parts[2:]), parts[1]))
    for name, kind, result, wordings, body in SINGLES:
        made.append(Idea(SINGLE + name, "single", name, (kind,), result, wordings, body))
    return made
