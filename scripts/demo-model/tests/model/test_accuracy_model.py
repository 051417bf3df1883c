"""Batches against one prompt at a time, on a tiny model with random weights."""

import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import sentencepiece  # noqa: E402
import torch  # noqa: E402
from transformers import PersimmonConfig, PersimmonForCausalLM  # noqa: E402

from accuracy.decoding import complete  # noqa: E402
from accuracy.likelihood import Candidate, candidates, log_likelihoods  # noqa: E402
from accuracy_oracle import ITEMS, Oracle  # noqa: E402
from generation import continue_text, log_probabilities  # noqa: E402
from tokenizer_training import end_of_text_id  # noqa: E402

torch.set_num_threads(1)
DEMO = HERE.parents[3] / "models" / "demo"
TOKENIZER = sentencepiece.SentencePieceProcessor(model_file=str(DEMO / "tokenizer.model"))
END = end_of_text_id(TOKENIZER)
PROMPTS = [
    "Q: What does a cow eat?\nA:", "Once", "def f(x):\n", "The ball did not fit into the bag because it was too big.",
    "Tom and Lily went to the park. They saw a dog. " * 4, "café 北京", "human: Hello!\n\nadept:", "A",
    "Mia had a red hat. " * 9,
]  # fmt: skip


def tiny() -> PersimmonForCausalLM:
    """Weights so large that attention and the choice of a token are far from even."""
    torch.manual_seed(3)
    config = PersimmonConfig(
        vocab_size=TOKENIZER.vocab_size(), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=512, hidden_act="relu2", qk_layernorm=True,
        initializer_range=0.3,
        rope_parameters={"rope_type": "default", "rope_theta": 25000.0, "partial_rotary_factor": 0.5},
        bos_token_id=END, eos_token_id=END, tie_word_embeddings=False, attn_implementation="eager",
    )  # fmt: skip
    model = PersimmonForCausalLM(config).eval()
    for layer in model.model.layers:  # sharper attention than fresh norms give, so that a wrong position shows
        layer.self_attn.q_layernorm.weight.data *= 3
    return model


class Batches(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = tiny()

    def test_the_same_ids_in_a_batch_and_alone(self):
        for batch in (9, 4):
            made = complete(self.model, TOKENIZER, END, PROMPTS, 24, lambda text: None, batch)
            for text, completion in zip(PROMPTS, made):
                alone = continue_text(self.model, TOKENIZER, text, END, 24)
                self.assertEqual(completion.ids, alone.ids, text)
                self.assertEqual((completion.text, completion.finish), (alone.text, alone.finish))

    def test_rows_that_end_early_leave_the_others_as_they_are(self):
        made = complete(self.model, TOKENIZER, END, PROMPTS, 24, lambda text: 30 if len(text) > 30 else None)
        self.assertGreater(len({len(completion.ids) for completion in made}), 1)
        for text, completion in zip(PROMPTS, made):
            alone = continue_text(self.model, TOKENIZER, text, END, 24)
            self.assertEqual(completion.ids, alone.ids[: len(completion.ids)], text)
            self.assertEqual(completion.text, alone.text[:30])

    def test_log_likelihoods_are_those_of_one_text_at_a_time(self):
        items = [(task, item) for task in ("arc", "winogrande", "hellaswag") for item in ITEMS[task]]
        texts = [text for task, item in items for text in candidates(task, item)]
        for text, got in zip(texts, log_likelihoods(self.model, TOKENIZER, END, texts, batch=8)):
            whole = TOKENIZER.encode(text.context + text.text)
            count = len(whole) - len(TOKENIZER.encode(text.context))
            self.assertEqual(TOKENIZER.decode(whole)[len(text.context) :], text.text)
            expected = sum(log_probabilities(self.model, [END, *whole])[-count:])
            self.assertAlmostEqual(got, expected, delta=1e-3 * abs(expected))


class Details(unittest.TestCase):
    def test_the_first_spaces_of_a_completion_are_kept(self):
        text = "def f(x):\n"
        oracle = Oracle(TOKENIZER.vocab_size(), [[END, *TOKENIZER.encode(text + "    return x"), END]])
        made = complete(oracle, TOKENIZER, END, [text], 20, lambda text: None)[0]
        self.assertEqual((made.text, made.finish), ("    return x", "eos"))

    def test_the_token_limit_is_kept(self):
        text = "One two"
        oracle = Oracle(TOKENIZER.vocab_size(), [[END, *TOKENIZER.encode(text + " three four five six"), END]])
        made = complete(oracle, TOKENIZER, END, [text], 2, lambda text: None)[0]
        self.assertEqual((len(made.ids), made.finish), (2, "length"))

    def test_what_a_likelihood_is_taken_of(self):
        self.assertEqual(
            candidates("arc", ITEMS["arc"][1])[2], Candidate("Question: What color is snow?\nAnswer:", " green", 5)
        )
        self.assertEqual(
            candidates("winogrande", ITEMS["winogrande"][2])[1],
            Candidate("Mia thanked Ben because Mia", " had helped.", 12),
        )
        self.assertEqual(candidates("hellaswag", ITEMS["hellaswag"][0])[1].text, " slept.")
        self.assertIsNone(candidates("triviaqa", ITEMS["triviaqa"][0]))


if __name__ == "__main__":
    unittest.main()
