"""Plots about helping, sharing, giving and making friends."""

from .plots import Plot

PLOTS = [
    Plot(
        "sharing a {T}",
        [
            "{A} and {B} saw {T.a} {P.at}. They both wanted [it|to play with it].",
            "\"[It is mine|I saw it first|I want it]!\" said {A}. \"No, [it is mine|I saw it first]!\" said {B}.",
            "They pulled and pulled, [and the {T} almost broke|and both of them were angry|until {B} fell down].",
            "{G} [heard them and came|came to see]. \"[Stop|Be calm],\" {G.he} said. \"[You can take turns.|You can play together.|Can you share it?]\"",
            "{A} [thought about it|felt sorry]. \"You can [go|be] first, {B},\" {A.he} said.",
            "So {B} played with the {T}, and then {A} played with it. [It was much more fun|It was better] to play together.",
            "[\"Sharing is good,\" said {B}.|\"I am sorry that I was angry,\" said {A}.|They laughed and were friends again.]",
        ],
        [
            ("What did {A} and {B} want?", "They both wanted {T.the}."),
            ("Who told them to stop?", "{G} told them to stop."),
            ("Who played first?", "{B} played first."),
        ],
    ),
    Plot(
        "a hurt {pet}",
        [
            "[On the way home,|One day {P.at},|After the rain,] {A} [saw|found|heard] {pet.a} {out}. It [was hurt|could not walk|had a hurt leg].",
            "\"You poor {pet},\" said {A}. {A.He} [picked it up gently|put it in a warm scarf|gave it some water].",
            "{A} took the {pet} to {G}. \"Can we help it?\" {A.he} asked. \"Yes,\" said {G}. \"It needs [food|water|a warm bed] and rest.\"",
            "Every day {A} gave the {pet} [water and food|some bread and milk|a little food]. [{A.He} talked to it softly.|{B} came to see it too.]",
            "[After a week|Soon|Day by day] the {pet} [was strong again|grew stronger|could walk again].",
            "[{A} took it back to {P}.|Then it was time to say goodbye.] {A} was [a little sad|sad and happy at the same time], but {A.he} knew that it [was free|wanted to be free].",
            "?The next [day|spring], the {pet} came back [to say hello|with a friend]. {A} [laughed with joy|was very happy].",
        ],
        [
            ("What did {A} find?", "{A} found {pet.a}."),
            ("What was wrong with the {pet}?", "The {pet} was hurt."),
            ("Where did {A} find the {pet}?", "{A} found the {pet} {out}."),
            ("Who told {A} what the {pet} needs?", "{G} told {A} what it needs."),
        ],
        people="child",
    ),
    Plot(
        "a birthday present",
        [
            "Tomorrow was {B}'s birthday. {A} wanted to give {B.him} a present, but {A.he} [had no money|had only one coin].",
            "{A} went to the market. [There was {K.a}, but it cost too much.|Everything cost too much.] {A.He} felt sad.",
            "\"What can I do?\" {A.he} asked {G}. \"The best presents are made with love,\" said {G}.",
            "So {A} [worked all night|sat down and worked|got paper and paint] and made {made} for {B}.",
            "At the party, {B} got [many presents|big presents from other friends]. {A} was [shy|worried]. {A.His} present was so small.",
            "But when {B} opened it, {B.he} [smiled|jumped for joy]. \"You made this [for me|]? I love it!\" said {B}. \"[It is the best present of all|Thank you, {A}].\"",
            "{A} was [happy|proud|glad]. They ate {food.a} [and danced|and sang songs|] until [evening|it was dark].",
        ],
        [
            ("Whose birthday was it?", "It was {B}'s birthday."),
            ("What did {A} make?", "{A} made {made}."),
            ("Why did {A} make a present?", "{A} had no money to buy one."),
        ],
        lists={"made": ["a card", "a small boat", "a picture", "a paper crown", "a necklace of shells", "a wooden bird", "a song"]},
    ),
    Plot(
        "a new friend",
        [
            "{A} was new in [town|the village|the forest]. {A.He} did not know anyone, and {A.he} was [shy|lonely].",
            "[Every day {A} sat alone {P.at}.|{A.He} watched the others play and wished for a friend.]",
            "One day {B} [came and sat next to {A.him}|dropped {T.a}, and {A} picked it up|said hello]. {A} [was surprised|did not know what to say|smiled a little].",
            "[\"Do you want to play?\" asked {B}. \"Yes,\" said|\"What is your name?\" asked {B}. \"My name is {A},\" said] {A} [softly|in a small voice].",
            "They played with [the {T}|{B}'s {T}] and [talked about many things|ran around {P}|told each other stories].",
            "{B} [gave {A} half of a {food}|shared {fruit.a} with {A}]. It was [sweet|very good].",
            "When it was time to go home, {B} said, \"[See you tomorrow|Come back tomorrow]!\" {A} was not lonely anymore.",
        ],
        [
            ("Why was {A} lonely?", "{A} was new and did not know anyone."),
            ("Who became {A}'s friend?", "{B} became {A}'s friend."),
        ],
    ),
    Plot(
        "a sick friend",
        [
            "[One morning,|Today] {B} did not come out to play. \"Where is {B}?\" asked {A}. \"{B} is sick in bed,\" said {G}.",
            "{A} was worried. {A.He} [wanted to help|thought about what {B} liked best].",
            "So {A} made a [pot of|bowl of] hot soup and put it in a basket with {fruit.a} and {K.a}.",
            "{A.He} carried the basket to {B}'s [home|house]. [It was heavy, but {A.he} did not stop.|The wind was cold, but {A.he} kept walking.]",
            "\"I brought you some soup,\" said {A}. {B} [sat up and smiled|ate it all]. \"[It is so warm|It tastes wonderful],\" {B.he} said. \"Thank you.\"",
            "?{A} [read {B} a story|sang a song for {B}|sat with {B} all day].",
            "The next day {B} felt better, and [soon|after two days] they could play {P.at} again.",
        ],
        [
            ("Who was sick?", "{B} was sick."),
            ("What did {A} bring?", "{A} brought hot soup in a basket."),
            ("How did {A} feel about {B}?", "{A} was worried about {B}."),
        ],
    ),
    Plot(
        "a hungry winter",
        [
            "It was a [cold|hard|long] winter. [Snow lay everywhere|The ground was white], and there was little to eat.",
            "{A} had [a bag of nuts|some bread|five apples|a jar of honey] [from the summer|]. \"This is just enough for me,\" {A.he} said.",
            "Then {B} came to the door. {B.He} was [thin and cold|very hungry]. \"[I have no food. Can you help me|Can you help me]?\" {B.he} [asked|said].",
            "{A} [thought for a long time|looked at the food]. [If {A.he} shared it, there would be less for {A.him}.|It was not much.] But {B} was so hungry.",
            "\"Come in,\" said {A}. \"[Half of it is yours|We will share].\" They ate by the fire, and [it was warm|they told stories].",
            "When spring came, {B} [brought {A} a basket of berries|helped {A} to find new food]. \"You helped me when it was hard,\" {B.he} said. \"Now I will help you.\"",
        ],
        [
            ("What time of year was it?", "It was winter."),
            ("Who was hungry?", "{B} was hungry."),
            ("What did {A} do?", "{A} shared the food with {B}."),
        ],
        people="animal",
    ),
    Plot(
        "a bridge over the river",
        [
            "{A} wanted to visit {B}, who lived on the other side of the river. But the bridge was [broken|gone after the storm].",
            "\"How can I get over?\" {A} asked. The water was [deep|fast|cold].",
            "?First {A} tried to jump, but the river was too wide. [{A.He} fell in and got wet.|]",
            "On the other side, {B} called, \"[We can build a new bridge|Let us build a bridge]!\"",
            "So {A} [pushed|carried] logs from one side, and {B} [pushed|carried] stones from the other side. [It was hard work.|They worked all day.]",
            "When the sun went down, the bridge was [ready|done]. {A} walked across and [hugged {B}|shook {B}'s hand].",
            "\"Together we can do anything,\" said {B}. [Now everyone can cross the river.|They sat on the bridge and watched the stars.]",
        ],
        [
            ("What did {A} and {B} build?", "They built a bridge."),
            ("Why could {A} not visit {B}?", "The bridge over the river was broken."),
            ("What did {B} carry?", "{B} carried stones."),
        ],
    ),
]
