"""Phases: which step belongs to which, and the learning rate within each."""

import sys
import unittest
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from settings import Phase, Settings, with_steps

PHASES = (
    Phase("a", 100, {}, learning_rate=1.0, last_rate=0.0, guidance=0.0, answer_weight=1.0),
    Phase("b", 50, {}, learning_rate=0.5, last_rate=0.4, guidance=0.5, answer_weight=1.0),
)
SETTINGS = replace(Settings(), phases=PHASES, warmup=0.1)


class Phases(unittest.TestCase):
    def test_every_step_has_a_phase(self):
        self.assertEqual(SETTINGS.steps, 150)
        self.assertEqual([(n, p.name, i) for n, p, i in map(SETTINGS.phase_at, (0, 99, 100, 149))],
                         [(0, "a", 0), (0, "a", 99), (1, "b", 0), (1, "b", 49)])  # fmt: skip
        with self.assertRaises(IndexError):
            SETTINGS.phase_at(150)

    def test_the_rate_warms_up_and_falls_in_each(self):
        rates = [SETTINGS.learning_rate(step) for step in (0, 5, 10, 55, 99, 100, 105, 149)]
        for rate, wanted in zip(rates, (0.001, 0.501, 1.0, 0.5, 1 / 90, 0.0005, 0.5, 0.5 * (1 - 0.6 * 44 / 45))):
            self.assertAlmostEqual(rate, wanted)

    def test_phases_are_shortened_in_proportion_and_never_to_nothing(self):
        self.assertEqual([p.steps for p in with_steps(SETTINGS, 15).phases], [10, 5])
        self.assertEqual([p.steps for p in with_steps(SETTINGS, 1).phases], [1, 1])


if __name__ == "__main__":
    unittest.main()
