"""Plots about losing, breaking, finding and telling the truth."""

from .plots import Plot

PLOTS = [
    Plot(
        "a lost {T}",
        [
            "{A} had {T.a}. [{A.He} loved it very much|It was {A.his} favorite toy|{G} had given it to {A.him}].",
            "[One day,|Then one afternoon,|But] {A} [could not find the {T}|saw that the {T} was gone|lost the {T} {P.at}].",
            "{A} was [very |so |]sad. [{A.He} began to cry.|\"Where is my {T}?\" {A.he} cried.|{A.He} sat down and did not want to play.]",
            "[{B} saw {A} and asked, \"[What is wrong|Why are you sad]?\"|\"What is wrong?\" asked {B}.] \"[I lost my {T}|My {T} is gone],\" said {A}.",
            "\"[Do not worry|Do not cry]. [I will help you|We will look together],\" said {B}.",
            "?They looked {inside}, but [it was not there|they found only dust]. [They looked everywhere.|]",
            "[At last,|Then|After a long time,] {B} [looked|saw something {colour}] {out}. [There it was!|It was the {T}!|\"I found it!\" {B.he} shouted.]",
            "{A} was [so |very |]happy. \"Thank you, {B}!\" {A.he} said. [{A} hugged {B}.|They played with the {T} until dark.|They went home together.]",
        ],
        [
            ("What did {A} lose?", "{A} lost {T.the}."),
            ("Who helped {A}?", "{B} helped {A}."),
            ("Where was the {T}?", "The {T} was {out}."),
            ("Why was {A} sad?", "{A} was sad because {A.he} lost the {T}."),
        ],
    ),
    Plot(
        "a broken {broken}",
        [
            "{A} was playing with {T.a} in the house. [{G} had said, \"Do not play inside.\"|It was raining, so {A.he} could not go out.]",
            "[Suddenly,|All at once,|Then] the {T} hit {G}'s {broken}, and the {broken} fell [down|to the floor] and broke.",
            "{A} was [afraid|scared|worried]. [\"Oh no!\" {A.he} thought. \"{G} will be angry.\"|{A.He} wanted to hide the pieces {inside}.]",
            "?{B} said, \"You should tell the truth.\" {A} knew that {B} was right.",
            "So {A} went to {G} and said, \"I broke your {broken}. I am sorry.\"",
            "{G} [looked at the pieces|was quiet for a moment]. Then {G.he} said, \"[I am sad about the {broken}, but I|I] am glad that you told [me|] the truth.\"",
            "[Together they fixed the {broken} with glue.|{A} helped {G} to clean the floor.|They picked up the pieces, and {G} got the glue.]",
            "{A} felt [much better|light and happy again]. [{A.He} learned that it is good to tell the truth.|After that, {A} played with the {T} outside.]",
        ],
        [
            ("What did {A} break?", "{A} broke {G}'s {broken}."),
            ("What did {A} learn?", "{A} learned that it is good to tell the truth."),
            ("How did {A} feel at first?", "{A} was afraid that {G} would be angry."),
        ],
        people="child",
        lists={"broken": ["vase", "cup", "plate", "lamp", "clock", "bowl"]},
    ),
    Plot(
        "a kite in a tree",
        [
            "{A} had a {colour} kite. [The wind was strong|It was a windy day], so {A} and {B} went to {P} to fly it.",
            "The kite went [up, up, up|high into the sky]. [\"Look how high it is!\" said {B}.|{A} ran and laughed.]",
            "[But then|Suddenly] the wind [changed|pulled hard], and the kite got stuck in a [tall|big] tree.",
            "\"Oh no!\" said {A}. {A.He} [pulled the string|jumped as high as {A.he} could|shook the tree], but the kite did not come down.",
            "{B} [had an idea|thought for a moment]. \"[We can use a long stick|Let us ask {G} for a ladder|I can climb up],\" {B.he} said.",
            "[Slowly and carefully,|Very carefully,] they got the kite [down|out of the tree]. It had a small hole, but [it could still fly|they fixed it with paper].",
            "\"Thank you,\" said {A}. \"[You are a good friend|Next time, let us stay away from the trees].\"",
        ],
        [
            ("What got stuck in the tree?", "The kite got stuck in the tree."),
            ("Who had an idea?", "{B} had an idea."),
            ("What color was the kite?", "The kite was {colour}."),
        ],
    ),
    Plot(
        "getting lost in the woods",
        [
            "{A} saw a [beautiful|big {colour}|shiny] butterfly. {A.He} [followed it|ran after it] [into the woods|between the trees|far from home].",
            "[When {A} looked back, {A.he} could not see {A.his} home.|Soon the butterfly was gone, and {A} did not know where {A.he} was.]",
            "\"I am lost,\" {A.he} said. [The trees were tall and dark.|It was getting dark and cold.] {A} felt [scared|alone|afraid].",
            "Then {A.he} met {B}, {b_kind}. \"[Why are you crying|Are you lost]?\" asked {B}.",
            "\"[I cannot find my way home|I do not know the way home|I want to go home],\" said {A}.",
            "\"[I know these woods well|I know the way],\" said {B}. \"[Come with me|Follow me|Take my hand].\"",
            "They walked [along the river|over the hill|past an old oak tree], and [soon|after a while] {A} saw [a light|the smoke of a fire|{A.his} home].",
            "{G} [was waiting at the door|ran out] and hugged {A}. \"I was so worried!\" {G.he} said. \"[Stay on the path next time|Thank you, {B}].\"",
        ],
        [
            ("What did {A} follow?", "{A} followed a butterfly."),
            ("Who helped {A}?", "{B} showed {A} the way home."),
            ("How did {A} feel in the woods?", "{A} felt afraid because {A.he} was lost."),
        ],
    ),
    Plot(
        "a messy room",
        [
            "{A}'s room was [very messy|full of toys]. There were [books|shoes|socks|blocks] on the floor and [toys|clothes] on the bed.",
            "\"Please clean your room,\" said {G}. \"I do not want to,\" said {A}. [\"I want to play.\"|{A.He} wanted to go to {P} with {B}.]",
            "[Later,|That afternoon,] {A} wanted to play with {A.his} {T}, but {A.he} could not find it. [It was somewhere in the mess.|{A.He} looked and looked.]",
            "So {A} began to clean. {A.He} put the books on the shelf and the [clothes|shoes|socks] in the closet.",
            "And there, {inside}, was the {T}! \"[Here you are|I found you]!\" said {A}.",
            "Now the room was clean. {G} [was proud|smiled]. \"[Well done|Good work], {A},\" {G.he} said. \"[Now you can find everything|It is easy to find things in a clean room].\"",
        ],
        [
            ("What did {A} look for?", "{A} looked for {A.his} {T}."),
            ("Where was the {T}?", "The {T} was {inside}."),
            ("Who told {A} to clean the room?", "{G} told {A} to clean the room."),
        ],
        people="child",
    ),
    Plot(
        "a strange box",
        [
            "[One day,|In the attic,|At the market,] {A} found a [strange|small|heavy|dusty] {colour} box {out}. It was [closed|locked].",
            "\"What is in the box?\" asked {B}. \"[I do not know|Maybe it is gold|Maybe it is a secret],\" said {A}.",
            "They [shook it|put an ear on it], and it made a [soft|funny|strange] sound. [{B} was a little scared.|{A} was very curious.]",
            "They looked for the key. {B} found it {inside}. [It was old and small.|The key was made of silver.]",
            "{A} opened the box [slowly|with the key]. Inside there was {K.a}, and under it, [a letter|a picture|a map].",
            "[There were words on it|On it someone had written]: \"[Be kind, and you will have friends|The best treasure is a friend|Keep this and think of me].\"",
            "{A} [gave the {K} to {B}|took the {K} home|showed the {K} to {G}]. [\"This is a good day,\" said {B}.|They kept the box and the secret.]",
        ],
        [
            ("What did {A} find?", "{A} found a box."),
            ("What was in the box?", "There was {K.a} in the box."),
            ("Where was the key?", "The key was {inside}."),
            ("Who found the key?", "{B} found the key."),
        ],
    ),
]
