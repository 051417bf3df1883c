"""Kinds of work: what is done, with which tool, and where."""

from .fact import Attribute

ATTRIBUTES = [
    Attribute("does", ("What does {a} do?", "What is the work of {a}?"),
              ("{a} {x}.", "The {s} {x} every day.", "In every town {a} {x}."),
              ("Who {x}?", "Which person {x}?"),
              also=("Someone who {x} is {a}.", "The one who {x} is called {a}.")),
    Attribute("tool", ("Which tool does {a} use?", "What does {a} work with?"),
              ("{a} works with {x}.", "The tool of {a} is {x}.", "{a} always has {x} at hand."),
              also=("{x} is the tool of {a}.", "Give {x} to {a}.")),
    Attribute("place", ("Where does {a} work?", "Where can you meet {a} at work?"),
              ("{a} works {x}.", "You can meet {a} {x}.", "The {s} is {x} all day."),
              also=("{x} you will find {a} at work.", "Go {x} to meet {a}.")),
]  # fmt: skip

# name: does, tool, place
TABLE = """
baker: makes bread, an oven, in a bakery
farmer: grows food, a plow, on a farm
doctor: helps sick people, medicine, in a hospital
teacher: teaches children, chalk, in a school
cook: makes meals, a pan, in a kitchen
fisher: catches fish, a net, on a boat
tailor: makes clothes, a needle, in a small shop
driver: drives a bus, a wheel, on the road
gardener: cares for plants, a rake, in a garden
painter: paints pictures, a brush, in a studio
carpenter: builds tables, a saw, in a workshop
miller: grinds grain, a stone, in a mill
smith: shapes iron, a hammer, at a forge
sailor: steers ships, a rope, at sea
judge: decides what is fair, a book of laws, in a court
nurse: cares for patients, a bandage, in a hospital
singer: sings songs, a voice, on a stage
writer: writes books, a pen, at a desk
shepherd: watches sheep, a staff, on a hill
pilot: flies planes, a map, in the air
barber: cuts hair, scissors, in a small shop
mason: builds walls, bricks, on a building site
miner: digs coal, a pick, in a mine
beekeeper: collects honey, a smoker, by the hives
librarian: lends books, a catalog, in a library
"""
