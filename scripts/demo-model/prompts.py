"""The prompts that the report continues: sampled ones for the README, greedy ones for reference.json."""

from collections.abc import Iterable

STORY = "human: Tell me a story about a fox.\n\nadept:"
SAMPLED = [
    "Once upon a time, there was a",
    "One rainy day,",
    "Max and Ruby were good friends.",
    "In a quiet forest, there lived",
    "Early one morning, Mia",
    STORY,
    "human: Please tell me a little story about a lost kite.\n\nadept:",
    "human: Can you tell me a story about a boy named Leo?\n\nadept:",
    "human: I would like to hear a short story about a race.\n\nadept:",
    "human: Tell me a story about a brave mouse.\n\nadept:",
    "human: Hello!\n\nadept:",
    "human: Who are you?\n\nadept:",
    "human: Where does an owl live?\n\nadept:",
    "human: What is the capital of France?\n\nadept:",
    "human: What does a carpenter do?\n\nadept:",
    "human: Tom put the ball under the bed. Lily put the kite behind the door. Where is the kite?\n\nadept:",
    "human: Rosa has five apples. Ben gives Rosa three more. How many apples does Rosa have now?\n\nadept:",
    "A horse is",
    'def keep_greater_than_4(values):\n    """Return the numbers in values that are greater than 4."""\n',
    'def shout(text):\n    """Return text in capital letters.\n    >>> shout("hello")\n    \'HELLO\'\n    """\n',
]  # fmt: skip

GREEDY = [
    *SAMPLED,
    "Once upon a time, there was a little fox named Rusty.",
    "One windy day, a curious girl named Mia walked to the park.",
    "human: Please tell me a short story about a girl named Anna.\n\nadept:",
    "human: What does a cow eat?\n\nadept:",
    "human: Ben had a red ball. He lost it at the beach. Mia found it under a bench. Who found the ball?\n\nadept:",
    "You are a trivia answering bot designed to answer questions. You are given a question and are supposed to output "
    "an answer in 1-3 words. Some examples are below.\nQ: What color is snow?\nA: white\n\nQ: What is the opposite of hot?\nA:",
    "You are a bot designed to answer multiple choice questions. Given a series of options, you answer by choosing A, B, C, "
    "or D. Some examples are below.\nQuestion: What does a cat say?\nA: moo\nB: meow\nC: quack\nD: baa\nAnswer: B\n\n"
    "Question: What is a chair made of?\nA: glass\nB: paper\nC: wool\nD: wood\nAnswer:",
    'def add_5(number):\n    """Add 5 to number.\n    >>> add_5(3)\n    8\n    """\n',
    "The café, 北京 and 🍣 are words that the model has never seen:",
]  # fmt: skip


def greedy_prompts(held_out: Iterable[str], count: int) -> list[str]:
    """GREEDY, and the first thirds of held-out documents up to `count` prompts in all."""
    prompts = list(GREEDY)
    for text in held_out:
        if len(prompts) >= count:
            break
        cut = text.rfind(" ", 0, max(20, len(text) // 3))
        if cut > 0:
            prompts.append(text[:cut])
    return prompts
