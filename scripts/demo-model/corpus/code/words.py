"""Lists of words and the characters of a text, by the same composition as lists of numbers."""

from .grid import Aggregate, Filter, Map, comprehension, compose
from .idea import Idea

SAME = Map("same", "<these>", "", "word")
WORD_MAPS = [
    SAME,
    Map("upper", "the upper case forms of <these>", "*convert each of them to upper case", "word.upper()"),
    Map("reversed", "<these>, each spelled backwards", "*reverse each of them", "word[::-1]"),
    Map("first letters", "the first letters of <these>", "*take the first letter of each", "word[0]"),
    Map("last letters", "the last letters of <these>", "*take the last letter of each", "word[-1]"),
    Map("exclaimed", "<these>, each with an exclamation mark after it", "*put an exclamation mark after each of them",
        'word + "!"'),
    Map("starts", "the first {s} letters of each of <these>", "*take the first {s} letters of each", "word[:{s}]"),
]  # fmt: skip
LENGTHS = [Map("lengths", "the lengths of <these>", "*take the length of each", "len(word)")]
WORD_FILTERS = [
    Filter("all", "the words in {a}", "", ""),
    Filter("starting", "the words in {a} that start with {p}", "starts with {p}", 'word.startswith("{p}")'),
    Filter("ending", "the words in {a} that end with {p}", "ends with {p}", 'word.endswith("{p}")'),
    Filter("containing", "the words in {a} that contain the letter {p}", "contains the letter {p}", '"{p}" in word'),
    Filter("without", "the words in {a} without the letter {p}", "has no letter {p}", '"{p}" not in word'),
    Filter("longer", "the words in {a} longer than {l} letters", "is longer", "len(word) > {l}"),
    Filter("shorter", "the words in {a} shorter than {l} letters", "is shorter", "len(word) < {l}"),
    Filter("odd length", "the words in {a} with an odd number of letters", "is odd", "len(word) % 2 == 1"),
]
WORD_AGGREGATES = [
    Aggregate("list", "a list of <values>", "*return a list of the results", "List[str]", comprehension("[", "]")),
    Aggregate("sorted", "an alphabetical list of <values>", "*sort the results by alphabet", "List[str]",
              comprehension("sorted(", ")")),
    Aggregate("joined", "a text of <values>, joined by spaces", "*join the results by spaces", "str",
              comprehension('" ".join(', ")")),
    Aggregate("distinct", "how many different texts there are among <values>", "*count the different results", "int",
              comprehension("len({", "})")),
]  # fmt: skip
LENGTH_AGGREGATES = [
    Aggregate("list", "a list of <values>", "*return a list of the results", "List[int]", comprehension("[", "]")),
    Aggregate("sum", "the sum of <values>", "*return the sum of the results", "int", comprehension("sum(", ")")),
    Aggregate("largest", "the largest of <values>, or 0 if there are none",
              "*return the largest result, or 0 if there is none", "int", comprehension("max((", "), default=0)")),
    Aggregate("sorted", "a list of <values>, sorted from small to large", "*sort the results from small to large",
              "List[int]", comprehension("sorted(", ")")),
]  # fmt: skip
CHARACTER_MAPS = [
    Map("same", "<these>", "", "c"),
    Map("upper", "the upper case forms of <these>", "*convert each of them to upper case", "c.upper()"),
    Map("doubled", "<these>, each written twice", "*write each of them twice", "c * 2"),
    Map("dotted", "<these>, each with a dot after it", "*put a dot after each of them", 'c + "."'),
]
CHARACTER_FILTERS = [
    Filter("all", "the characters of {a}", "", ""),
    Filter("vowels", "the lower case vowels of {a}", "is a vowel", 'c in "aeiou"'),
    Filter("no vowels", "the characters of {a} that are not lower case vowels", "is not", 'c not in "aeiou"'),
    Filter("letter", "the letters {p} in {a}", "is {p}", 'c == "{p}"'),
    Filter("other", "the characters of {a} other than {p}", "is not {p}", 'c != "{p}"'),
    Filter("capitals", "the capital letters of {a}", "is a capital", "c.isupper()"),
    Filter("small", "the small letters of {a}", "is small", "c.islower()"),
]
CHARACTER_AGGREGATES = [
    Aggregate("text", "a text made of <values>", "*make a text of the results", "str", comprehension('"".join(', ")")),
    Aggregate("characters", "a list of <values>", "*make a list of the results", "List[str]", comprehension("[", "]")),
    Aggregate("dashed", "a text of <values>, joined by dashes", "*join the results by dashes", "str",
              comprehension('"-".join(', ")")),
    Aggregate("distinct", "how many different texts there are among <values>", "*count the different results", "int",
              comprehension("len({", "})")),
    Aggregate("sorted", "a sorted list of <values>", "*sort the results", "List[str]", comprehension("sorted(", ")")),
]  # fmt: skip


def ideas() -> list[Idea]:
    words = compose("words", "word", "words", WORD_MAPS, WORD_FILTERS, WORD_AGGREGATES)
    lengths = compose("words", "word", "words", LENGTHS, WORD_FILTERS, LENGTH_AGGREGATES)
    letters = compose("letters", "c", "text", CHARACTER_MAPS, CHARACTER_FILTERS, CHARACTER_AGGREGATES)
    return words + lengths + letters
