"""What the README says of runs with other settings, from measurements that are written down here."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from dataclasses import asdict

from readme_parts import compared_text
from settings import Settings


def point(step: int, loss: float, zeros: float) -> dict:
    return {"step": step, "nats_per_byte": loss, "zeros": [zeros, zeros]}


class Compared(unittest.TestCase):
    RESULTS = {
        "settings": asdict(Settings()),
        "training": {"steps": 500},
        "held_out": {"nats_per_byte": 0.101, "zeros": [0.9, 0.94]},
        "history": [point(400, 0.202, 0.9), point(500, 0.1, 0.9)],
    }

    def text(self, **other) -> str:
        return compared_text({**self.RESULTS, "others": [other]})

    def test_a_finished_run_is_compared_at_the_end(self):
        end = {"nats_per_byte": 0.1, "zeros": [0.6, 0.7]}
        text = self.text(target_zeros=0, steps=500, held_out=end, history=[point(500, 0.5, 0.1)])
        self.assertIn("Without the penalty, the same steps on the same data give 0.1000 nats per byte (+1.00 %", text)
        self.assertIn("and 65.0% zeros", text)

    def test_a_shorter_run_is_compared_where_it_was_last_measured(self):
        text = self.text(target_zeros=0.9, steps=430, held_out={}, history=[point(0, 9, 0.5), point(400, 0.2, 0.8), point(430, 0.1, 0.8)])
        self.assertIn("With other random weights at the start", text)
        self.assertIn("0.2000 nats per byte after 400 steps, against 0.2020 (+1.00 %", text)
        self.assertIn("and 80.0% zeros", text)
        self.assertIn("Its cost in loss was not measured", text)


if __name__ == "__main__":
    unittest.main()
