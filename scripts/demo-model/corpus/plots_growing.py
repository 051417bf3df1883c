"""Plots about trying, waiting, fear, and mistakes that teach."""

from .plots import Plot

PLOTS = [
    Plot(
        "learning to {skill}",
        [
            "{A} wanted to learn to {skill}. {B} could {skill} very well, [and {A} watched {B.him}|but {A} could not].",
            "\"[It looks easy|I can do it],\" said {A}. {A.He} tried, but {failed}. [Ouch!|Oh no!|]",
            "{A} tried again, [but it did not work|and it went wrong again]. {A.He} was [angry|sad|tired]. \"I will never learn it,\" {A.he} said.",
            "\"[Do not give up|Go slowly|Try again],\" said {B}. \"[At first I could not do it|I tried a hundred times|It takes time].\"",
            "So {A} practiced [every day|each morning {P.at}]. [Some days were good and some days were bad.|Little by little, it got better.]",
            "[One morning,|And then, one day,|At last] {A} could {skill}! \"[Look at me|I did it]!\" {A.he} [shouted|cried].",
            "{B} [clapped|cheered]. \"[I knew you could do it|You never gave up],\" {B.he} said. {A} was very proud.",
        ],
        [
            ("What did {A} want to learn?", "{A} wanted to learn to {skill}."),
            ("Who told {A} not to give up?", "{B} told {A} not to give up."),
            ("How did {A} feel at the end?", "{A} was very proud."),
        ],
        lists={
            "skill": ["swim", "whistle", "climb a tree", "ride a bike", "dance", "sing", "paint", "skate", "juggle", "row a boat"],
            "failed": ["{A.he} fell down", "nothing happened", "everyone laughed", "{A.he} could not do it"],
        },
    ),
    Plot(
        "growing a {plant}",
        [
            "{G} gave {A} a [small|tiny|brown] seed. \"[Plant it and wait|If you care for it, it will grow],\" {G.he} said.",
            "{A} [dug a hole|made a small hole] in the garden, put the seed in it and gave it [some |]water.",
            "The next day {A} looked, but there was nothing. [\"Why does it not grow?\" {A.he} asked.|{A.He} was not patient.]",
            "\"[Good things take time|You must wait|It needs water, sun and time],\" said {G}.",
            "Every [day|morning] {A} gave it water. [The sun was warm.|The rain came, and then the sun.] [One week went by, and then another.|Many days went by.]",
            "Then [one morning|] there was a [small|tiny] green leaf! \"[It is growing|Look, {G}]!\" {A} [shouted|cried].",
            "[By summer|After some weeks], there was a [big|beautiful|tall] {plant}. {A} was [so |very ]proud. [{A.He} gave it to {B}.|{A.He} showed it to {B}.]",
        ],
        [
            ("What did {G} give {A}?", "{G} gave {A} a seed."),
            ("What grew in the garden?", "A {plant} grew in the garden."),
            ("What did {A} do every day?", "{A} gave the seed water every day."),
        ],
        people="child",
    ),
    Plot(
        "being afraid of {fear}",
        [
            "{A} was afraid of {fear}. [{A.He} did not tell anyone.|When the others went to {P}, {A.he} stayed home.]",
            "[One evening,|One day,] {B} asked, \"Why are you [hiding {inside}|shaking|so quiet]?\"",
            "\"I am afraid of {fear},\" {A} said [very softly|and looked down]. \"[Please do not laugh|Is that silly]?\"",
            "\"[I will not laugh|It is not silly],\" said {B}. \"I was afraid of {fear} too. [Hold my hand|I will stay with you|We can do it together].\"",
            "They took one small step, and then another. {A}'s heart beat fast[, but {A.he} did not run away|].",
            "[And nothing bad happened.|It was not so bad.] {A} [opened {A.his} eyes|took a deep breath] and even smiled a little.",
            "\"You are very brave,\" said {B}. \"Being brave means that you are afraid, and you do it anyway.\"",
        ],
        [
            ("What was {A} afraid of?", "{A} was afraid of {fear}."),
            ("Who helped {A}?", "{B} helped {A}."),
            ("What did {B} say at the end?", "{B} said that {A} was very brave."),
        ],
        lists={"fear": ["the dark", "deep water", "thunder", "high places", "big dogs", "loud noises", "the old house", "spiders"]},
    ),
    Plot(
        "baking a {food}",
        [
            "{A} and {G} wanted to make {food.a} for {B}. [They washed their hands.|\"You can help me,\" said {G}.]",
            "They took [flour and eggs|milk and eggs|butter and flour] and put them in a big bowl. {A} [mixed it all|stirred with a long spoon].",
            "\"Now we need sugar,\" said {G}. But {A} took the wrong jar. It was not sugar. It was {wrong}!",
            "[When the {food} was ready, they tasted it.|{G} took a bite.] \"[Oh dear|Yuck]!\" said {G}. [{G.He} made a funny face.|It tasted terrible.]",
            "{A} [was sad|wanted to cry]. \"I am sorry. I took the wrong jar,\" {A.he} said. {G} laughed. \"[It is only a mistake|We can try again|Everyone makes mistakes].\"",
            "So they made another {food}. This time {A} [looked at the jar twice|tasted the sugar first|read the words on the jar].",
            "It was [sweet and warm|the best {food} ever]. {B} ate [three pieces|it all] and [asked for more|said thank you].",
        ],
        [
            ("What did {A} and {G} make?", "They made {food.a}."),
            ("What was the mistake?", "{A} took {wrong} and not sugar."),
            ("Who was the {food} for?", "The {food} was for {B}."),
        ],
        people="child",
        lists={"wrong": ["salt", "pepper", "soap", "sand"]},
    ),
    Plot(
        "a race",
        [
            "[There was a big race {P.at}.|Every year there was a race {P.at}.] {A} and {B} wanted to win [it|the {colour} cup].",
            "{B} was very fast. \"[I will win|No one can beat me],\" said {B}. {A} was [slow|smaller], but {A.he} practiced every day.",
            "\"One, two, three, go!\" called {G}. {B} ran [like the wind|ahead of everyone]. {A} was [far |]behind.",
            "[Halfway,|After a while] {B} looked back and laughed. \"[I have time for a nap|I can rest a little],\" {B.he} said, and {B.he} [sat down|fell asleep] {out}.",
            "But {A} did not stop. [Step by step|Slowly], {A.he} went on. {A.He} passed {B} and [came to the end|crossed the line] first.",
            "When {B} [woke up|got up], it was too late. [\"You won!\" {B.he} said. \"You never stopped.\"|{B} was angry at first, but then {B.he} shook {A}'s hand.]",
            "[The one who keeps going can win.|\"Next time I will not sleep,\" said {B}.]",
        ],
        [
            ("Who won the race?", "{A} won the race."),
            ("Why did {B} not win?", "{B} stopped to rest."),
            ("Who was fast?", "{B} was very fast."),
        ],
        people="animal",
    ),
    Plot(
        "a greedy {A.kind}",
        [
            "{A} loved [to eat|food|{fruit.plural}]. {A.He} was greedy and always wanted more.",
            "One day {A.he} found a [tree|basket|cart] full of {fruit.plural}. \"[All for me|They are all mine]!\" {A.he} said.",
            "{B} came by. \"[May I have one|Can I have one]?\" asked {B}. \"No!\" said {A}. \"[Go away|Find your own].\"",
            "{A} ate and ate[ and ate|]. Soon {A.his} [belly|stomach] was as [round|big] as a [ball|drum].",
            "Then {A} tried to go home, but {A.he} was too [fat|full] to [get through the gate|walk|fit through the door]. \"Help!\" {A.he} cried.",
            "{B} [heard {A.him}|came back] and [pulled|pushed] until {A} [was free|could go home]. \"Why do you help me?\" [said|asked] {A}. \"Because you need help,\" said {B}.",
            "{A} was [ashamed|sorry]. {A.He} gave {B} the last {fruit} and said, \"From now on, I will share.\"",
        ],
        [
            ("What did {A} find?", "{A} found many {fruit.plural}."),
            ("Who asked for one?", "{B} asked for one."),
            ("What did {A} learn?", "{A} learned to share."),
        ],
        people="animal",
    ),
]
