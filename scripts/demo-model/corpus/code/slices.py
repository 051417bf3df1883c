"""A part of a list, and what becomes of it; single ideas about lists."""

from .idea import SINGLE, Idea, returns

PARTS = [
    ("first", "the first {s} numbers in {a}", "{a}[:{s}]"),
    ("last", "the last {s} numbers in {a}", "{a}[-{s}:]"),
    ("without first", "the numbers in {a} after the first {s}", "{a}[{s}:]"),
    ("without last", "the numbers in {a} before the last {s}", "{a}[:-{s}]"),
    ("every second", "every second number in {a}, beginning with the first", "{a}[::2]"),
    ("odd places", "every second number in {a}, beginning with the second", "{a}[1::2]"),
    ("middle", "the numbers in {a} other than the first and the last", "{a}[1:-1]"),
]
ENDS = [
    ("list", "a list of <part>", "return <code>", "List[int]"),
    ("sum", "the sum of <part>", "return sum(<code>)", "int"),
    ("largest", "the largest of <part>, or 0 if there are none", "return max(<code>, default=0)", "int"),
    ("smallest", "the smallest of <part>, or 0 if there are none", "return min(<code>, default=0)", "int"),
    ("sorted", "a list of <part>, sorted from small to large", "return sorted(<code>)", "List[int]"),
    ("descending", "a list of <part>, sorted from large to small", "return sorted(<code>, reverse=True)", "List[int]"),
    ("reversed", "a list of <part>, in reverse order", "return <code>[::-1]", "List[int]"),
    ("distinct", "how many different values there are among <part>", "return len(set(<code>))", "int"),
]
SINGLES = [
    ("first_item", "int", returns("the first item of {a}"), "return {a}[0]"),
    ("last_item", "int", returns("the last item of {a}"), "return {a}[-1]"),
    ("count_items", "int", ("*count the items in {a}", "*return how many items are in {a}"), "return len({a})"),
    ("reverse_list", "List[int]", ("*reverse {a}", "*return {a} in reverse order"), "return {a}[::-1]"),
    ("range_of", "int", returns("the difference between the largest and the smallest number in {a}"),
     "return max({a}) - min({a})"),
    ("largest_by_loop", "int", ("*go through {a} and *return the largest number",),
     "best = {a}[0]\n    for x in {a}:\n        if x > best:\n            best = x\n    return best"),
    ("smallest_by_loop", "int", ("*go through {a} and *return the smallest number",),
     "best = {a}[0]\n    for x in {a}:\n        if x < best:\n            best = x\n    return best"),
    ("unique", "List[int]", ("*remove repeated numbers from {a}, keeping the first of each",
     "*return the numbers in {a} without repeats, in the order in which they first come"),
     "result = []\n    for x in {a}:\n        if x not in result:\n            result.append(x)\n    return result"),
    ("differences", "List[int]", ("*return a list of the differences between neighbours in {a}, later minus earlier",),
     "return [y - x for x, y in zip({a}, {a}[1:])]"),
    ("is_sorted", "bool", ("*check whether {a} is sorted from small to large",), "return {a} == sorted({a})"),
    ("running_maximum", "List[int]", ("*return a list of the largest number seen so far at each place in {a}",),
     "result = []\n    for i in range(len({a})):\n        result.append(max({a}[: i + 1]))\n    return result"),
]  # fmt: skip


def ideas() -> list[Idea]:
    made = [Idea(SINGLE + key, "single", key, ("numbers",), result, wordings, body)
            for key, result, wordings, body in SINGLES]  # fmt: skip
    for part, noun, code in PARTS:
        for end, said, body, result in ENDS:
            name = f"{end}_{part}".replace(" ", "_")
            phrase = said.replace("<part>", noun)
            wordings = tuple(f"*{verb} {phrase}" for verb in ("return", "compute", "find"))
            key = f"code:slice|{part}|{end}"
            made.append(Idea(key, "slice", name, ("numbers",), result, wordings, body.replace("<code>", code)))
    return made
