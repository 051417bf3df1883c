"""Things: what they are for, what they are made of, where they are kept, and which color they have."""

from .fact import Attribute

ATTRIBUTES = [
    Attribute("use", ("What can you do with {a}?", "What is {a} used for?"),
              ("You can use {a} to {x}.", "{a} is used to {x}.", "If you have {a}, you can {x}."),
              ("What can you use to {x}?", "What do you need to {x}?"),
              also=("To {x}, people use {a}.", "{a} is good if you want to {x}.")),
    Attribute("material", ("What is {a} made of?", "Of which material is {a} made?"),
              ("{a} is made of {x}.", "People make {a} of {x}.", "The material of {a} is {x}."),
              also=("{x} is what {a} is made of.", "You need {x} to make {a}.")),
    Attribute("kept", ("Where do people keep {a}?", "Where does {a} belong?"),
              ("People keep {a} {x}.", "{a} belongs {x}.", "You will find {a} {x}."),
              also=("{x} you will see {a}.", "Look {x} if you need {a}.")),
]  # fmt: skip

# name: use, material, kept
TABLE = """
knife: cut bread, metal, in the kitchen
key: open a lock, metal, in a pocket
cup: drink tea, clay, in the kitchen
chair: sit down, wood, at the table
window: look outside, glass, in the wall
book: read a story, paper, on a shelf
broom: sweep the floor, straw, in the corner
spoon: eat soup, metal, in a drawer
scarf: keep your neck warm, wool, by the door
umbrella: stay dry, cloth, by the door
ladder: climb up, wood, in the barn
hammer: hit a nail, metal, in the shed
needle: sew a button, metal, in a small box
bottle: carry water, glass, in the kitchen
letter: send news, paper, in a drawer
boat: cross a lake, wood, at the dock
candle: see in the dark, wax, on the table
sweater: stay warm, wool, in the closet
bell: make a sound, metal, in the tower
net: catch fish, rope, on a boat
oven: bake bread, metal, in the kitchen
pencil: draw a picture, wood, on the desk
saw: cut wood, metal, in the shed
pillow: rest your head, cloth, on the bed
mirror: see your face, glass, on the wall
clock: tell the time, metal, on the wall
shovel: dig a hole, metal, in the shed
basket: carry apples, straw, in the barn
map: find the way, paper, in a pocket
tent: sleep outside, cloth, in the attic
drum: play music, leather, in the attic
boot: walk in snow, leather, by the door
saddle: ride a horse, leather, in the stable
vase: hold flowers, clay, on the table
pot: cook soup, metal, in the kitchen
blanket: keep warm at night, wool, on the bed
fence: keep sheep in, wood, around a field
coin: buy candy, metal, in a purse
soap: wash your hands, fat, by the sink
wheel: move a cart, wood, in the barn
"""

COLOR = [Attribute("color", ("What color is {s}?", "Which color does {s} have?"),
                   ("{s} is {x}.", "The color of {s} is {x}.", "We say that {s} is {x}."),
              also=("{x} is the color of {s}.", "When you think of {s}, you think of {x}."))]  # fmt: skip
COLORS = """
grass: green
snow: white
coal: black
blood: red
milk: white
a banana: yellow
a carrot: orange
the clear sky: blue
a crow: black
a leaf: green
a lemon: yellow
a frog: green
a tomato: red
a swan: white
chocolate: brown
the night: black
a strawberry: red
a pumpkin: orange
the sea: blue
a pig: pink
an elephant: gray
a flamingo: pink
a violet: purple
mud: brown
gold: yellow
a cloud: white
a mouse: gray
a cherry: red
an eggplant: purple
a bear: brown
"""
