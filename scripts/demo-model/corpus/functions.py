"""Small Python functions with docstrings and examples, in HumanEval's shape."""

from random import Random

NUMBER = "number n x value count a".split()
LIST = "numbers values items xs data".split()
WORD = "text word s name line".split()

# (name, arguments, docstring, body, example arguments, expression for the result)
# {k} is a small integer, {x} an argument name of the kind that fits.
TEMPLATES = [
    ("add_{k}", "{n}", "Add {k} to {n}.", "return {n} + {k}", "int", "v + {k}"),
    ("subtract_{k}", "{n}", "Subtract {k} from {n}.", "return {n} - {k}", "int", "v - {k}"),
    ("times_{k}", "{n}", "Multiply {n} by {k}.", "return {n} * {k}", "int", "v * {k}"),
    ("is_greater_than_{k}", "{n}", "Return True if {n} is greater than {k}.", "return {n} > {k}", "int", "v > {k}"),
    ("is_less_than_{k}", "{n}", "Return True if {n} is less than {k}.", "return {n} < {k}", "int", "v < {k}"),
    ("is_even", "{n}", "Return True if {n} is even.", "return {n} % 2 == 0", "int", "v % 2 == 0"),
    ("is_odd", "{n}", "Return True if {n} is odd.", "return {n} % 2 == 1", "int", "v % 2 == 1"),
    ("square", "{n}", "Return the square of {n}.", "return {n} * {n}", "int", "v * v"),
    ("absolute", "{n}", "Return {n} without its sign.", "if {n} < 0:\n        return -{n}\n    return {n}", "int", "abs(v)"),
    ("count_items", "{l}", "Return how many items are in {l}.", "return len({l})", "list", "len(v)"),
    ("largest", "{l}", "Return the largest number in {l}.", "return max({l})", "list", "max(v)"),
    ("smallest", "{l}", "Return the smallest number in {l}.", "return min({l})", "list", "min(v)"),
    ("total", "{l}", "Return the sum of {l}.", "return sum({l})", "list", "sum(v)"),
    ("total", "{l}", "Return the sum of {l}.", "result = 0\n    for x in {l}:\n        result += x\n    return result", "list", "sum(v)"),
    ("first", "{l}", "Return the first item of {l}.", "return {l}[0]", "list", "v[0]"),
    ("last", "{l}", "Return the last item of {l}.", "return {l}[-1]", "list", "v[-1]"),
    ("sort_up", "{l}", "Return {l} sorted from small to large.", "return sorted({l})", "list", "sorted(v)"),
    ("reverse_list", "{l}", "Return {l} in reverse order.", "return {l}[::-1]", "list", "v[::-1]"),
    ("add_{k}_to_all", "{l}", "Add {k} to each number in {l}.", "return [x + {k} for x in {l}]", "list", "[x + {k} for x in v]"),
    ("keep_even", "{l}", "Return the even numbers in {l}.", "return [x for x in {l} if x % 2 == 0]", "list", "[x for x in v if x % 2 == 0]"),
    ("keep_greater_than_{k}", "{l}", "Return the numbers in {l} that are greater than {k}.", "return [x for x in {l} if x > {k}]", "list", "[x for x in v if x > {k}]"),
    ("count_greater_than_{k}", "{l}", "Count the numbers in {l} that are greater than {k}.", "count = 0\n    for x in {l}:\n        if x > {k}:\n            count += 1\n    return count", "list", "len([x for x in v if x > {k}])"),
    ("length", "{w}", "Return the length of {w}.", "return len({w})", "str", "len(v)"),
    ("shout", "{w}", "Return {w} in capital letters.", "return {w}.upper()", "str", "v.upper()"),
    ("reverse_text", "{w}", "Return {w} backwards.", "return {w}[::-1]", "str", "v[::-1]"),
    ("first_letter", "{w}", "Return the first letter of {w}.", "return {w}[0]", "str", "v[0]"),
    ("greet", "{w}", "Say hello to {w}.", "return \"Hello, \" + {w} + \"!\"", "str", "'Hello, ' + v + '!'"),
    ("starts_with_a", "{w}", "Return True if {w} starts with the letter a.", "return {w}.startswith(\"a\")", "str", "v.startswith('a')"),
    ("repeat_{k}_times", "{w}", "Repeat {w} {k} times.", "return {w} * {k}", "str", "v * {k}"),
]  # fmt: skip
WORDS = "apple cat sun tree ant bird moon dog fish star house rain".split()
# The only names that an example's expression sees; the expressions are the ones above.
SAFE = {"__builtins__": {}, "abs": abs, "len": len, "max": max, "min": min, "sum": sum, "sorted": sorted}


def _example(rng: Random, kind: str):
    if kind == "int":
        return rng.randrange(-5, 20)
    if kind == "list":
        return [rng.randrange(0, 20) for _ in range(rng.randrange(2, 5))]
    return rng.choice(WORDS)


def function(rng: Random) -> str:
    name, argument, doc, body, kind, result = rng.choice(TEMPLATES)
    slots = {"k": rng.randrange(2, 10), "n": rng.choice(NUMBER), "l": rng.choice(LIST), "w": rng.choice(WORD)}
    filled = [part.format(**slots) for part in (name, argument, doc, body, result)]
    examples = ""
    for _ in range(rng.randrange(0, 3)):
        value = _example(rng, kind)
        answer = eval(filled[4], {**SAFE, "v": value})
        examples += f"\n    >>> {filled[0]}({value!r})\n    {answer!r}"
    doc_text = f'"""{filled[2]}{examples}\n    """' if examples else f'"""{filled[2]}"""'
    return f"def {filled[0]}({filled[1]}):\n    {doc_text}\n    {filled[3]}\n"


def functions(rng: Random) -> str:
    return "\n\n".join(function(rng) for _ in range(rng.choice([1, 1, 2, 3])))
