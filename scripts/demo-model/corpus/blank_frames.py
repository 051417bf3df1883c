"""The grid behind the fill-in-the-blank items: families of frames, each with two roles and the reasons of each role.

A frame alone never decides who is meant, and a reason alone never decides where that one stands in the sentence: the
reason names the role (who was hungry receives), the frame puts the roles in order (gave to, got from).
"""

from dataclasses import dataclass, field

from . import words


@dataclass(frozen=True)
class Family:
    """`frames`: name and first half of the sentence, with both roles as slots. `reasons`: by role, in the same number.

    `fillers`: what each role may be. The second half is `link` and a reason.
    """

    kind: str
    frames: dict[str, str]
    reasons: dict[str, list[str]]
    fillers: dict[str, list[str]] = field(default_factory=dict)  # empty: two children
    extras: dict[str, list[str]] = field(default_factory=dict)  # further slots of the frames
    link: str = " because _"


CHILDREN = words.GIRLS + words.BOYS

PEOPLE = [
    Family(
        "giving",
        {
            "give": "{giver} gave {receiver} some {food}",
            "get": "{receiver} got some {food} from {giver}",
            "share": "{giver} shared the {food} with {receiver}",
            "ask": "{receiver} asked {giver} for some {food}",
            "bring": "{giver} brought {receiver} some {food}",
        },
        {
            "giver": ["had plenty", "was generous", "wanted to share", "had too much", "liked to give", "had made a lot"],
            "receiver": ["was hungry", "had none", "needed some", "had eaten nothing", "could not find any", "was starving"],
        },
        extras={"food": "bread soup cake rice pie pudding salad".split()},
    ),
    Family(
        "lending",
        {
            "lend": "{lender} lent {borrower} a {tool}",
            "borrow": "{borrower} borrowed a {tool} from {lender}",
            "request": "{borrower} asked {lender} for a {tool}",
            "let-use": "{lender} let {borrower} use a {tool}",
        },
        {
            "lender": ["had two", "had one to spare", "was generous", "did not need it", "had plenty", "had brought several"],
            "borrower": ["had none", "needed one", "could not find one", "did not own one", "had lost one", "had forgotten to bring one"],
        },
        extras={"tool": "pencil spoon rope lamp blanket brush hammer needle towel cup".split()},
    ),
    Family(
        "helping",
        {
            "help": "{helper} helped {weak} with the {work}",
            "ask-help": "{weak} asked {helper} for help with the {work}",
            "get-help": "{weak} got help with the {work} from {helper}",
            "do-for": "{helper} did the {work} for {weak}",
            "leave-to": "{weak} left the {work} to {helper}",
        },
        {
            "helper": ["was strong", "had time", "was not busy", "was not tired", "liked to help", "was good at it"],
            "weak": ["was tired", "was too weak", "needed help", "had hurt an arm", "could not do it alone", "was sick"],
        },
        extras={"work": "cooking cleaning digging packing painting washing shopping".split()},
    ),
    Family(
        "teaching",
        {
            "teach": "{teacher} taught {learner} to {skill}",
            "learn": "{learner} learned to {skill} from {teacher}",
            "show": "{teacher} showed {learner} how to {skill}",
            "ask-how": "{learner} asked {teacher} how to {skill}",
        },
        {
            "teacher": ["was good at it", "could do it well", "was an expert", "had done it for years", "liked to teach", "knew all about it"],
            "learner": ["could not do it", "wanted to learn", "had never tried it", "was a beginner", "did not know how", "needed a lesson"],
        },
        extras={"skill": "swim|skate|juggle|ride a bike|row a boat|paint|cook|dance|whistle|fish".split("|")},
    ),
    Family(
        "courage",
        {
            "run-to": "{scared} ran to {brave} in the {danger}",
            "comfort": "{brave} comforted {scared} in the {danger}",
            "hide-behind": "{scared} hid behind {brave} in the {danger}",
            "lead": "{brave} walked in front of {scared} in the {danger}",
        },
        {
            "brave": ["was brave", "was not afraid", "was calm", "had no fear", "was never scared", "had a lot of courage"],
            "scared": ["was afraid", "was scared", "was shaking", "had no courage", "wanted to feel safe", "was close to tears"],
        },
        extras={"danger": "storm dark fog forest thunder cave".split()},
    ),
    Family(
        "apology",
        {
            "say-sorry": "{guilty} said sorry to {victim}",
            "get-apology": "{victim} got an apology from {guilty}",
            "sorry-letter": "{guilty} wrote {victim} a letter to say sorry",
            "ask-apology": "{victim} asked {guilty} to say sorry",
        },
        {
            "guilty": ["had made a mistake", "had told a lie", "had broken a promise", "had been rude", "had been mean", "had started the fight"],
            "victim": ["was hurt", "was upset", "was in tears", "had been pushed", "had been treated badly", "felt sad and alone"],
        },
    ),
    Family(
        "care",
        {
            "care": "{healer} took care of {patient}",
            "call": "{patient} called {healer} in the night",
            "medicine": "{healer} gave {patient} some medicine",
            "ask-medicine": "{patient} asked {healer} for some medicine",
        },
        {
            "healer": ["was a doctor", "was a nurse", "worked in a hospital", "knew a lot about medicine", "could cure people", "had studied medicine"],
            "patient": ["was sick", "had a fever", "had a bad cough", "could not get up", "was in pain", "felt very weak"],
        },
    ),
    Family(
        "waiting",
        {
            "wait": "{early} waited for {late} at the {place}",
            "keep-waiting": "{late} kept {early} waiting at the {place}",
            "arrive-after": "{late} got to the {place} after {early}",
            "arrive-before": "{early} got to the {place} before {late}",
        },
        {
            "early": ["was early", "had run all the way", "had left home early", "had started first", "had hurried", "knew a short way"],
            "late": ["was late", "had missed the bus", "had slept too long", "had walked slowly", "had lost the way", "had stopped on the way"],
        },
        extras={"place": "station school park harbor market museum".split()},
    ),
    Family(
        "selling",
        {
            "sell": "{seller} sold {buyer} the {thing}",
            "buy": "{buyer} bought the {thing} from {seller}",
            "pay": "{buyer} paid {seller} for the {thing}",
            "offer": "{seller} offered {buyer} the {thing} for a few coins",
        },
        {
            "seller": ["needed money", "did not want it any more", "had no use for it", "had two of them", "never used it", "had a little shop"],
            "buyer": ["had always wanted one", "had saved enough money", "had been looking for one", "needed one", "did not own one", "had just lost one"],
        },
        extras={"thing": "bike drum kite watch sled tent lamp clock".split()},
    ),
    Family(
        "carrying",
        {
            "carry": "{strong} carried {weak} home",
            "ride": "{weak} rode home on the back of {strong}",
            "pull": "{strong} pulled {weak} home in a wagon",
            "lean": "{weak} leaned on {strong} on the way home",
        },
        {
            "strong": ["was strong", "was not tired", "had strong arms", "could walk well", "was healthy and fit", "was full of energy"],
            "weak": ["could not walk", "had a broken leg", "had hurt a foot", "was too tired to walk", "was too weak", "was sick"],
        },
    ),
    Family(
        "contest",
        {
            "faster": "In the race, {winner} was faster than {loser}",
            "slower": "In the race, {loser} was slower than {winner}",
            "ahead": "At the end of the race, {winner} was ahead of {loser}",
            "behind": "At the end of the race, {loser} was behind {winner}",
            "more-points": "In the game, {winner} got more points than {loser}",
            "fewer-points": "In the game, {loser} got fewer points than {winner}",
        },
        {
            "winner": ["won", "came first", "got the prize", "was the winner", "was very proud", "cheered"],
            "loser": ["lost", "came second", "got no prize", "was the loser", "was disappointed", "had to practice more"],
        },
        link=", so _",
    ),
]  # fmt: skip

BULKY = "lamp clock drum robot vase statue kettle plant".split()
CONTAINERS = "box drawer chest cupboard crate cabinet closet".split()

THINGS = [
    Family(
        "container",
        {
            "not-fit": "The {content} did not fit into the {container}",
            "not-hold": "The {container} could not hold the {content}",
            "no-room": "There was no room in the {container} for the {content}",
            "stay-out": "The {content} could not be put into the {container}",
        },
        {
            "content": ["was too big", "was too large", "was too wide", "was too tall", "was too bulky", "was huge"],
            "container": ["was too small", "was too tiny", "was too narrow", "was too low", "was too flat", "was already full"],
        },
        {"content": BULKY, "container": CONTAINERS},
        link=" because the _",
    ),
    Family(
        "passage",
        {
            "not-through": "The {vehicle} did not get through the {opening}",
            "stop": "The {opening} did not let the {vehicle} through",
            "stuck": "The {vehicle} got stuck in the {opening}",
            "block": "The {opening} was blocked by the {vehicle}",
        },
        {
            "vehicle": ["was too big", "was too large", "was too wide", "was too tall", "was too bulky"],
            "opening": ["was too small", "was too tiny", "was too narrow", "was too low", "was too tight"],
        },
        {"vehicle": "cart wagon truck tractor carriage bus".split(), "opening": "gate tunnel arch doorway passage".split()},
        link=" because the _",
    ),
    Family(
        "room",
        {
            "fit": "The {content} fit into the {container}",
            "hold": "The {container} could hold the {content}",
            "room": "There was enough room in the {container} for the {content}",
            "put-in": "The {content} could be put into the {container}",
        },
        {
            "content": ["was small enough", "was narrow enough", "was low enough", "was not too big", "was not too wide", "was not too tall"],
            "container": ["was big enough", "was wide enough", "was tall enough", "was not too small", "was not too narrow", "was not too low"],
        },
        {"content": BULKY, "container": CONTAINERS},
        link=" because the _",
    ),
    Family(
        "weight",
        {
            "break-under": "The {support} broke under the {load}",
            "fall-through": "The {load} fell through the {support}",
            "not-carry": "The {support} could not carry the {load}",
            "crush": "The {load} crushed the {support}",
        },
        {
            "load": ["was too heavy", "weighed too much", "was made of iron", "was very heavy", "was full of stones"],
            "support": ["was too weak", "was too thin", "was made of paper", "was old and rotten", "was full of cracks"],
        },
        {"load": "barrel trunk pot bathtub chest bucket".split(), "support": "shelf table bench bridge roof board".split()},
        link=" because the _",
    ),
    Family(
        "speed",
        {
            "overtake": "The {fast} overtook the {slow}",
            "passed-by": "The {slow} was passed by the {fast}",
            "arrive-first": "The {fast} arrived before the {slow}",
            "arrive-later": "The {slow} arrived after the {fast}",
        },
        {
            "fast": ["was fast", "was quick", "was in a hurry", "went at full speed", "had a strong engine", "never slowed down"],
            "slow": ["was slow", "was in no hurry", "went slowly", "had a weak engine", "had a flat tire", "stopped often"],
        },
        {"fast": "car bus truck van taxi".split(), "slow": "car bus truck van taxi".split()},
        link=" because the _",
    ),
    Family(
        "height",
        {
            "on": "The {upper} stood on the {lower}",
            "under": "The {lower} stood under the {upper}",
            "over": "The {upper} was over the {lower}",
            "below": "The {lower} was below the {upper}",
            "higher-shelf": "The {upper} was on a higher shelf than the {lower}",
            "lower-shelf": "The {lower} was on a lower shelf than the {upper}",
        },
        {
            "upper": ["was higher", "was the upper one", "was closer to the ceiling", "was farther from the floor", "was nearer to the roof"],
            "lower": ["was lower", "was the lower one", "was closer to the floor", "was farther from the ceiling", "was nearer to the ground"],
        },
        {"upper": "lamp vase clock bowl plant radio".split(), "lower": "box basket trunk crate chest case".split()},
        link=", so the _",
    ),
]  # fmt: skip

FAMILIES = PEOPLE + THINGS
