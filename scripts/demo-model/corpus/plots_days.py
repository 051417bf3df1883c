"""Plots about an ordinary day: weather, sky, play, trade, small surprises."""

from .plots import Plot

PLOTS = [
    Plot(
        "a rainy day",
        [
            "{A} wanted to go to {P}, but it was raining. [Rain fell on the roof.|The sky was gray.]",
            "\"[I hate rain|This is boring|What can we do]?\" said {A}. \"[We can play inside|I have an idea],\" said {B}.",
            "They took [blankets and pillows|two chairs and a big blanket|old boxes] and built [a house|a ship|a castle|a cave].",
            "\"I am the captain,\" said {A}. \"And I am {role},\" said {B}. They [sailed over the sea|fought a storm|looked for treasure], and {T.the} was [the treasure|a whale|an island].",
            "{G} brought them {food.a}[ and warm milk|]. [They ate it in the dark with a lamp.|\"Thank you,\" they said.]",
            "When they looked out, the rain had stopped, [and there was a rainbow|and the sun was shining]. \"[Let us play one more time|I like rainy days],\" said {A}.",
        ],
        [
            ("What was the weather like?", "It was raining."),
            ("What did {G} bring?", "{G} brought {food.a}."),
            ("What was {B} in the game?", "{B} was {role}."),
        ],
        lists={"role": ["a pirate", "a king", "a queen", "a dragon", "a cook", "the wind"]},
    ),
    Plot(
        "snow",
        [
            "When {A} woke up, everything was white. \"[It is snowing|Snow]!\" {A.he} [shouted|cried], and {A.he} ran to {B}.",
            "They put on [warm coats|hats and scarves|boots] and went [out|to {P}]. The snow was [deep|soft and cold|up to their knees].",
            "They made a [big|round] snowman. {A} gave it {fruit.a} for a nose, and {B} gave it {colour} buttons and {K.a}.",
            "[\"He looks cold,\" said {B}.|\"He needs a friend,\" said {A}.] So they [made a second one|put a scarf on him].",
            "?Then they threw snowballs. One of them hit {G}! {G} [laughed and threw one back|was surprised].",
            "When their hands were cold, they went inside and drank hot [milk|chocolate|tea] by the fire.",
            "The next day the sun came out, and the snowman [got smaller and smaller|began to melt]. \"Goodbye,\" said {A}. \"Come back next winter.\"",
        ],
        [
            ("What did {A} and {B} make?", "They made a snowman."),
            ("What was the nose?", "The nose was {fruit.a}."),
            ("What happened to the snowman?", "The sun came out, and the snowman began to melt."),
        ],
    ),
    Plot(
        "the night sky",
        [
            "[One night,|It was late, and] {A} could not sleep. {A.He} [looked out of the window|went outside and looked up].",
            "The sky was full of stars. [The moon was round and bright.|The moon was thin like a smile.]",
            "\"How many stars are there?\" {A} asked {B}. \"[Nobody knows|More than all the leaves in the forest],\" said {B}.",
            "They [lay down in the grass|sat on the roof|sat {P.at}] and began to count. \"One, two, three, four, five...\"",
            "Suddenly one star fell [across the sky|down]. \"Make a wish!\" said {B}. {A} closed {A.his} eyes and wished for [a friend|{K.a}|a happy year|good dreams for everyone].",
            "\"What did you wish for?\" asked {B}. \"[It is a secret|I will tell you when it comes true],\" said {A} and [smiled|yawned].",
            "Soon {A} [was asleep|fell asleep], and the stars shone all night.",
        ],
        [
            ("What did {A} see in the sky?", "{A} saw stars and the moon."),
            ("What did they count?", "They counted the stars."),
            ("Why did {A} make a wish?", "{A} made a wish because a star fell."),
        ],
    ),
    Plot(
        "a trade at the market",
        [
            "{A} had {T.a}, but {A.he} wanted {K.a}. [{A.He} had no money.|So {A.he} went to the market.]",
            "At the market, {A} met {B}, who had {K.a}. \"Will you trade it for my {T}?\" asked {A}.",
            "\"[I do not need a {T}|No, thank you],\" said {B}. \"But I am hungry. I would trade it for {food.a}.\"",
            "{A} went to {G}, who had {food.a}. \"I will give you my {T} for your {food},\" said {A}. \"[That is fair|Good],\" said {G}.",
            "So {A} gave the {T} to {G} and got the {food}. Then {A.he} gave the {food} to {B} and got the {K}.",
            "[Everyone was happy.|{A} put the {K} in {A.his} bag and went home.] \"[A good trade makes everyone happy|What a clever trade],\" said {G}.",
        ],
        [
            ("What did {A} want?", "{A} wanted {K.a}."),
            ("What did {A} give to {G}?", "{A} gave {G} the {T}."),
            ("What did {B} want?", "{B} wanted {food.a}."),
        ],
    ),
    Plot(
        "a treasure map",
        [
            "{A} found an old map {inside}. [There was a big X on it.|It showed {P} and a big red X.]",
            "\"It is a treasure map!\" said {B}. They took [a lamp and a rope|some bread and a shovel] and went to {P}.",
            "\"Ten steps from the [old tree|gate|well],\" {A} read. They walked and counted. [\"Eight, nine, ten. Here!\"|]",
            "They [dug a deep hole|dug and dug|looked {out}]. [At first they found only stones.|They were tired and dirty.] Then there was a sound. Clink!",
            "It was a box. In the box there was no gold. There was {T.a} and a [note|letter]. It said, \"[I hid this when I was small. Have fun! {G}|For the one who finds it. {G}].\"",
            "They ran to {G}. \"Was it you?\" asked {A}. {G} laughed. \"[You found my treasure|I hid it when I was as old as you],\" {G.he} said. \"Now it is yours.\"",
        ],
        [
            ("What did {A} find first?", "{A} found an old map."),
            ("What was in the box?", "There was {T.a} in the box."),
            ("Who hid the box?", "{G} hid the box."),
        ],
        people="child",
    ),
    Plot(
        "a noise in the night",
        [
            "[One night|When it was dark] {A} heard a [strange|loud|funny] noise. [Tap, tap, tap!|Bump, bump!|Scratch, scratch!]",
            "\"What is that?\" {A.he} [whispered|asked]. {A.He} [hid under the blanket|woke {B}|felt cold].",
            "\"Maybe it is a {fear},\" said {B}. They took a lamp and went to look, [very quietly|step by step|hand in hand].",
            "?The noise came from {P}. Then it came again, louder than before.",
            "{A} held up the lamp, and there, {out}, was {pet.a}! It wanted [to come in|some food|to get out of the cold].",
            "{A} and {B} [laughed|looked at each other and laughed]. \"You are not a {fear},\" said {A}. \"You are only a {pet}!\"",
            "They gave it [some milk|something to eat|a warm place to sleep], and [the noise stopped|everyone slept well].",
        ],
        [
            ("What made the noise?", "A {pet} made the noise."),
            ("What did they take with them?", "They took a lamp."),
            ("Who was with {A}?", "{B} was with {A}."),
        ],
        lists={"fear": ["ghost", "monster", "thief", "wild beast"]},
    ),
    Plot(
        "a picnic",
        [
            "{A} and {B} [wanted to have|planned] a picnic {P.at}. {A} brought {food.a}, and {B} brought {fruit.a} and [some juice|some milk].",
            "They put a {colour} blanket on the grass [under a tree|near the water|in the sun].",
            "[But when they looked away,|While they played with the {T},] [an ant|a crow|a dog|a squirrel] took the {food} [and ran away|]!",
            "\"[Come back|Stop]!\" shouted {A}. They [ran after it|looked for it], but the {food} was gone.",
            "{A} was [hungry|angry|sad]. \"We still have the {fruit},\" said {B}, and {B.he} cut it in two. \"Half for you, and half for me.\"",
            "It was not much, but it [tasted good|was sweet]. [\"Next time we will watch our food,\" said {A}.|They laughed about it all the way home.]",
        ],
        [
            ("What did {A} bring to the picnic?", "{A} brought {food.a}."),
            ("What did {B} bring?", "{B} brought {fruit.a}."),
            ("What color was the blanket?", "The blanket was {colour}."),
            ("Where was the picnic?", "The picnic was {P.at}."),
        ],
    ),
]
