"""Animals: what they are, eat, say and wear, where they live, and what their young are called."""

from .fact import Attribute

ATTRIBUTES = [
    Attribute("class", ("What kind of animal is {a}?", "To which group of animals does {a} belong?"),
              ("{a} is {x}.", "The {s} is {x}.", "Everyone knows that {a} is {x}."),
              also=("If it is {a}, it is {x}.", "The {s} belongs to the animals that are each {x}.")),
    Attribute("covering", ("What covers the body of {a}?", "What does {a} have on its body?"),
              ("The body of {a} is covered with {x}.", "{a} has {x} on its body.", "{a} is covered with {x}."),
              also=("{x} covers the body of {a}.", "You can see {x} on {a}.")),
    Attribute("legs", ("How many legs does {a} have?",), ("{a} has {x} legs.", "The {s} has {x} legs."),
              also=("With {x} legs {a} moves about.", "Look at {a}: it has {x} legs.")),
    Attribute("lives", ("Where does {a} live?", "Where can you find {a}?", "What is the home of {a}?"),
              ("{a} lives {x}.", "You can find {a} {x}.", "The home of {a} is {x}."),
              also=("{x} you can see {a}.", "If you look {x}, you may see {a}.")),
    Attribute("eats", ("What does {a} eat?", "What is the food of {a}?", "What does {a} like to eat?"),
              ("{a} eats {x}.", "The {s} likes to eat {x}.", "The food of {a} is {x}."),
              also=("{x} is what {a} eats.", "A hungry {s} looks for {x}.")),
    Attribute("baby", ("What is a baby {s} called?", "What do we call a young {s}?"),
              ("A baby {s} is called {x}.", "We call a young {s} {x}.", "The young of {a} is {x}."),
              also=("{x} is a baby {s}.", "{x} grows up to be {a}.")),
    Attribute("says", ("What does {a} say?", "What sound does {a} make?"),
              ('{a} says "{x}".', 'The sound of {a} is "{x}".'),
              also=('"{x}" is the sound of {a}.', '"{x}", says the {s}.')),
]  # fmt: skip

# name: class, covering, legs, lives, eats, baby, says ("-": not told)
TABLE = """
cow: a mammal, fur, four, on a farm, grass, a calf, moo
dog: a mammal, fur, four, in a house, meat, a puppy, woof
cat: a mammal, fur, four, in a house, mice, a kitten, meow
sheep: a mammal, wool, four, on a farm, grass, a lamb, baa
horse: a mammal, fur, four, in a stable, hay, a foal, neigh
pig: a mammal, skin, four, in a sty, corn, a piglet, oink
duck: a bird, feathers, two, by a pond, seeds, a duckling, quack
hen: a bird, feathers, two, in a coop, grain, a chick, cluck
owl: a bird, feathers, two, in a tree, mice, an owlet, hoo
fox: a mammal, fur, four, in a den, meat, a cub, -
bear: a mammal, fur, four, in a cave, berries, a cub, grr
frog: an amphibian, wet skin, four, in a pond, flies, a tadpole, croak
goat: a mammal, fur, four, on a hill, leaves, a kid, -
rabbit: a mammal, fur, four, in a burrow, carrots, a bunny, -
deer: a mammal, fur, four, in the forest, leaves, a fawn, -
swan: a bird, feathers, two, on a lake, water plants, a cygnet, -
kangaroo: a mammal, fur, two, in Australia, grass, a joey, -
lion: a mammal, fur, four, in Africa, meat, a cub, roar
wolf: a mammal, fur, four, in the forest, meat, a pup, howl
mouse: a mammal, fur, four, in a hole, seeds, -, squeak
squirrel: a mammal, fur, four, in a tree, nuts, -, -
hedgehog: a mammal, spines, four, under leaves, worms, -, -
bat: a mammal, fur, two, in a cave, flies, a pup, -
whale: a mammal, skin, no, in the sea, fish, a calf, -
seal: a mammal, fur, no, on the coast, fish, a pup, -
elephant: a mammal, skin, four, in Africa, leaves, a calf, -
camel: a mammal, fur, four, in the desert, dry grass, a calf, -
monkey: a mammal, fur, four, in the jungle, bananas, -, -
beaver: a mammal, fur, four, in a lodge, wood, a kit, -
mole: a mammal, fur, four, in a tunnel, worms, -, -
otter: a mammal, fur, four, by a river, fish, a pup, -
heron: a bird, feathers, two, by a river, fish, a chick, -
crow: a bird, feathers, two, in a nest, corn, a chick, caw
goose: a bird, feathers, two, on a farm, grass, a gosling, honk
penguin: a bird, feathers, two, on the ice, fish, a chick, -
eagle: a bird, feathers, two, on a cliff, mice, an eaglet, -
pigeon: a bird, feathers, two, in the city, grain, a squab, coo
salmon: a fish, scales, no, in a river, flies, a fry, -
shark: a fish, scales, no, in the sea, fish, a pup, -
trout: a fish, scales, no, in a river, worms, a fry, -
bee: an insect, fine hair, six, in a hive, nectar, a larva, buzz
ant: an insect, a hard shell, six, in a hill, sugar, a larva, -
butterfly: an insect, colored scales, six, in a garden, nectar, a caterpillar, -
beetle: an insect, a hard shell, six, under leaves, wood, a larva, -
snake: a reptile, scales, no, in the grass, mice, -, hiss
lizard: a reptile, scales, four, in the desert, flies, -, -
turtle: a reptile, a hard shell, four, by a pond, water plants, a hatchling, -
crocodile: a reptile, scales, four, in a river, fish, a hatchling, -
toad: an amphibian, dry skin, four, in a garden, worms, a tadpole, croak
newt: an amphibian, wet skin, four, in a pond, worms, a larva, -
"""
