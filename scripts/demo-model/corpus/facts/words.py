"""Opposites, and what comes before and after what."""

from .fact import Attribute

OPPOSITE = [Attribute("opposite", ("What is the opposite of {s}?", "Which word is the opposite of {s}?"),
                      ("The opposite of {s} is {x}.", "{s} is the opposite of {x}.", "What is not {s} is {x}."),
              also=("{x} and {s} are opposites.", "{s} on one side, {x} on the other."))]  # fmt: skip
OPPOSITES = """hot cold|big small|day night|up down|wet dry|old young|fast slow|happy sad|open closed|hard soft|light dark
full empty|loud quiet|rich poor|strong weak|high low|long short|clean dirty|early late|near far|left right|thick thin
deep shallow|sweet sour|brave afraid|first last|inside outside|push pull|win lose|true false|give take|summer winter"""

AFTER = [Attribute("after", ("Which {kind} comes after {s}?", "What comes after {s}?"), ("{x} comes after {s}.", "After {s} comes {x}."),
              also=("First {s}, then {x}.", "{s} is followed by {x}."))]
BEFORE = [Attribute("before", ("Which {kind} comes before {s}?", "What comes before {s}?"), ("{x} comes before {s}.", "Before {s} comes {x}."),
              also=("First {x}, then {s}.", "{x} is followed by {s}."))]
ORDERS = {
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
    "month": "January February March April May June July August September October November December".split(),
    "season": "spring summer autumn winter".split(),
    "number": "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split(),
    "letter": list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
}
