"""Playability of a chart: its rates beside those of human charts of its level.

A rate is unusual above the 95 % quantile of human charts; :func:`findings` lists the unusual ones
with their values and places. The estimated meter is a ridge regression on the rates, fitted to
In The Groove's training part (``gymworks dance quantiles`` prints its held-out error).
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.dance.chart import DIFFICULTIES, Chart
from envs.dance.feet import (
    FAST_JACK_S,
    QUANTILES,
    TECHNIQUE_RATES,
    FootPath,
    down,
    feet_of,
    quantiles,
)
from envs.dance.footwork import Technique

STRAINS = {
    "double_steps": "double steps: a foot steps twice in a row",
    "spins": "spins: crossed feet turn on, through facing backwards",
    "inversions": "inversions: left foot on right and right foot on left",
    "crossovers": "crossovers",
    "footswitches": "footswitches",
    "sideswitches": "sideswitches",
    "fast_jacks": f"jacks faster than {FAST_JACK_S:g} s",
    "brackets": "brackets: one foot on two panels",
    "hands": "three or more panels down at once, held ones included",
    "jumps": "jumps",
    "hold_steps": "steps while the other foot is held",
}
"""Rates per 100 steps of which more is harder, with their descriptions."""

PACES = {
    "peak_per_s": "steps a second in the densest four seconds",
    "fatigue": "load of the busier foot",
    "travel": "panel widths a step",
}
"""Other figures of which more is harder, with their descriptions."""

SLACK = 1.0
"""Allowance per 100 steps: next to rates near 0 one step more would weigh too much."""

HANDS_SLACK = 0.1
"""That of ``hands``, which two feet cannot do at all unless they cover two panels each."""

HIGH = QUANTILES.index(0.95)
MIDDLE = QUANTILES.index(0.5)


@dataclass(frozen=True)
class Finding:
    """A figure that few human charts of the level reach.

    Attributes:
        rate: Name of the figure, a key of :data:`STRAINS` or :data:`PACES`.
        reason: Description of the figure.
        value: Value of the chart.
        median: Median of the human charts of the level.
        high: 95 % quantile of the human charts of the level.
        beats: The first beats at which it happens; empty for :data:`PACES`.
    """

    rate: str
    reason: str
    value: float
    median: float
    high: float
    beats: tuple[float, ...] = ()


def level_of(chart: Chart) -> str:
    """The level whose human charts a chart is measured by; an edit is measured as Challenge."""
    return chart.difficulty if chart.difficulty in DIFFICULTIES else "Challenge"


def findings(chart: Chart, found: dict[str, float], most: int = 8) -> list[Finding]:
    """The unusual figures of a chart, the farthest from human ones first.

    Args:
        chart: Any chart.
        found: Its rates, see :func:`feet.rates`.
        most: Most places to name for each figure.
    """
    human = quantiles()[level_of(chart)]
    path = feet_of(chart)
    unusual = [
        Finding(
            rate,
            reason,
            found[rate],
            human[rate][MIDDLE],
            human[rate][HIGH],
            _places(chart, path, rate)[:most],
        )
        for rate, reason in {**STRAINS, **PACES}.items()
        if found[rate] > human[rate][HIGH] + (_slack(rate) / 2 if rate in STRAINS else 0)
    ]
    return sorted(unusual, key=lambda each: (each.high + SLACK) / (each.value + SLACK))


def score(chart: Chart, found: dict[str, float]) -> float:
    """Playability of a chart for its level, from 0 to 100.

    The mean over :data:`STRAINS` of (95 % quantile + slack) / (value + slack), at most 1 each; the
    slack is :data:`SLACK` or :data:`HANDS_SLACK`.
    """
    human = quantiles()[level_of(chart)]
    shares = [min(1.0, (human[r][HIGH] + _slack(r)) / (found[r] + _slack(r))) for r in STRAINS]
    return 100 * float(np.mean(shares))


def _slack(rate: str) -> float:
    return HANDS_SLACK if rate == "hands" else SLACK


def _places(chart: Chart, path: FootPath, rate: str) -> tuple[float, ...]:
    if rate in PACES:
        return ()
    if rate == "hands":
        there = path.stepped & (down(chart) >= 3)
    elif rate == "fast_jacks":
        stepped = np.where(path.stepped, chart.times, -np.inf)
        before = np.concatenate([[-np.inf], np.maximum.accumulate(stepped)[:-1]])
        jack = (path.techniques & Technique.JACK) > 0
        there = jack & (chart.times - before < FAST_JACK_S)
    else:
        there = (path.techniques & TECHNIQUE_RATES[rate]) > 0
    return tuple(chart.beats[there].round(3).tolist())


@cache
def meter_model() -> dict[str, Any]:
    """The shipped model of meters: rates, means, scales, weights, intercept, held-out error."""
    file = Path(__file__).with_name("quantiles.json")
    model: dict[str, Any] = json.loads(file.read_bytes())["meter"]
    return model


def meter_features(found: dict[str, float], names: list[str]) -> NDArray[np.float64]:
    """Features of the model of meters: logarithms of rates, (F,) float64."""
    return np.log1p([found[name] for name in names])


def estimate_meter(found: dict[str, float], model: dict[str, Any] | None = None) -> float:
    """Estimate of the meter that an author of In The Groove would give a chart, from its rates.

    Args:
        found: Rates of the chart, see :func:`feet.rates`.
        model: Another model than :func:`meter_model`.
    """
    model = model or meter_model()
    x = meter_features(found, model["rates"]) - np.array(model["mean"])
    return float(model["intercept"] + (x / model["scale"]) @ np.array(model["weights"]))
