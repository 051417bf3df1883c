"""A stub in place of the model that knows some documents by heart, and a few items to ask it."""

from types import SimpleNamespace

import torch

SURE = 50.0  # logit of the known next token; all others have 0


class _Cache:
    def __init__(self, rows: list[list[int]]):
        self.rows = rows

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        self.rows = [self.rows[i] for i in indices.tolist()]


class Oracle:
    """Called as decoding and likelihood call the model; each document starts and ends with `end`."""

    def __init__(self, vocabulary: int, documents: list[list[int]]):
        self.vocabulary = vocabulary
        self.next = {tuple(ids[:i]): ids[i] for ids in documents for i in range(1, len(ids))}

    def __call__(self, input_ids, attention_mask=None, past_key_values=None, logits_to_keep=0, **_):
        new = input_ids.tolist()
        before = past_key_values.rows if past_key_values else [[] for _ in new]
        rows = [old + more for old, more in zip(before, new)]
        logits = torch.zeros(len(rows), len(new[0]), self.vocabulary)
        for number, row in enumerate(rows):
            first = 0 if attention_mask is None else len(row) - int(attention_mask[number].sum())
            for column in range(len(new[0])):
                known = self.next.get(tuple(row[first : len(row) - len(new[0]) + column + 1]))
                if known is not None:
                    logits[number, column, known] = SURE
        return SimpleNamespace(logits=logits[:, -logits_to_keep:], past_key_values=_Cache(rows))


def _choice(name: str, question: str, choices: list[str], gold: int, **more) -> dict:
    return {"id": name, "question": question, "choices": choices, "gold": gold, "answer": "ABCDE"[gold], **more}


def _blank(number: int, sentence: str, option1: str, option2: str, answer: str) -> dict:
    return {"id": f"w{number}", "sentence": sentence, "option1": option1, "option2": option2, "answer": answer}


def _function(name: str, body: str, result: str) -> dict:
    return {
        "task_id": f"demo/{name}", "prompt": f'\n\ndef {name}(x):\n    """Give {result}."""\n', "entry_point": name,
        "canonical_solution": body, "test": f"def check(candidate):\n    assert candidate(3) == {result}\n",
        "kind": "number" if result.isdigit() else "other",
    }  # fmt: skip


ITEMS = {
    "arc": [
        _choice("a0", "What does a cow say?", ["moo", "meow", "baa", "quack"], 0, kind="sound"),
        _choice("a1", "What color is snow?", ["red", "white", "green"], 1, kind="color"),
        _choice("a2", "What color is grass?", ["red", "white", "blue", "pink", "green"], 4, kind="color"),
        _choice("a3", "What does a cat say?", ["moo", "baa", "meow", "quack"], 2, kind="sound"),
        _choice("a4", "What color is the sky?", ["blue", "white", "green", "red"], 0, kind="color"),
    ],
    "mmlu": [
        _choice("m0", "What is a chair made of?", ["wool", "glass", "paper", "wood"], 3, subject="things"),
        _choice("m1", "What is a coat made of?", ["wool", "glass", "paper", "wood"], 0, subject="things"),
        _choice("m2", "Where does a fish live?", ["nest", "water", "barn", "tree"], 1, subject="animals"),
        _choice("m3", "Where does a cow live?", ["nest", "water", "barn", "tree"], 2, subject="animals"),
    ],
    "winogrande": [
        _blank(0, "The ball did not fit into the bag because the _ was too big.", "bag", "ball", "2"),
        _blank(1, "The ball did not fit into the bag because the _ was too small.", "bag", "ball", "1"),
        _blank(2, "Mia thanked Ben because _ had helped.", "Ben", "Mia", "1"),
    ],
    "triviaqa": [
        {"id": "t0", "question": "What does a cow eat?", "answer": "the Grass", "aliases": ["grass", "hay"]},
        {"id": "t1", "question": "What is the opposite of hot?", "answer": "cold", "aliases": ["cold"]},
        {"id": "t2", "question": "Who found the ball?", "answer": "Mia", "aliases": []},
    ],
    "hellaswag": [
        {"id": "h0", "ctx": "Tom was hungry. He", "endings": ["ate an apple.", "slept.", "sang.", "ran."], "gold": 0},
        {"id": "h1", "ctx": "Lily was tired. She", "endings": ["ate an apple.", "slept.", "sang.", "ran."], "gold": 1},
    ],
    "humaneval": [
        _function("double", "    y = x + x\n\n    return y\n", "6"),
        _function("text", "    return 'x' * x\n", "'xxx'"),
    ],
}  # fmt: skip
