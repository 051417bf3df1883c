"""All plots together, and a story about what a request names."""

from random import Random

from . import plots_days, plots_growing, plots_kindness, plots_loss
from .plots import Plot, Story, tell
from .wandering import wandering_story

PLOTS: list[Plot] = plots_loss.PLOTS + plots_kindness.PLOTS + plots_growing.PLOTS + plots_days.PLOTS


def story(rng: Random, with_questions: bool = False) -> Story:
    """A story of either sort; only those with a plot have questions."""
    if not with_questions and rng.random() < 0.35:
        return wandering_story(rng)
    return tell(rng, rng.choice(PLOTS))


def animal_story(rng: Random, kind: str, plotted: bool = False) -> Story:
    """A story whose hero is the animal that was asked for, always with a plot if `plotted`."""
    if not plotted and rng.random() < 0.35:
        return wandering_story(rng, kind)
    return tell(rng, rng.choice([p for p in PLOTS if p.people != "child"]), kind)
