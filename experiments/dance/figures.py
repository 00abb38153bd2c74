"""Computes quantiles of human charts' rates by level, and the model of their meters.

``gymworks dance quantiles --force`` makes ``envs/dance/quantiles.json`` anew from the corpora.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from rich.progress import track

from envs.dance.chart import DIFFICULTIES
from envs.dance.feet import QUANTILES, rates
from envs.dance.playability import estimate_meter, meter_features
from experiments.options import Force, deliver, destination, output, printer

METER_RATES = (
    "steps_per_s",
    "peak_per_s",
    "fatigue",
    "jumps",
    "jacks",
    "fast_jacks",
    "crossovers",
    "footswitches",
    "brackets",
    "hold_steps",
    "holds",
    "offbeats",
    "travel",
    "cost",
)
"""Rates that a chart's meter is estimated from."""

RIDGE = 1.0
"""Weight of the squared coefficients of standardised rates, against squared errors."""

LEAST_SCALE = 1e-5
"""Deviation that a rate is divided by at least: some rates are the same in every chart."""


def command(
    path: Annotated[Path | None, output("JSON file; by default the shipped one.")] = None,
    force: Force = False,
) -> None:
    """Compute the quantiles of human charts and the meter model from the corpora."""
    from envs.dance import feet
    from envs.dance.corpus import corpus, split
    from hardware_sim.files import write_json

    console = printer()
    place = path or destination(Path(feet.__file__).with_name("quantiles.json"), force=force)
    songs = corpus("itg") + corpus("stepmania5")
    table = [
        (split(song), song.pack, chart.difficulty, chart.meter, rates(chart))
        for song in track(songs, "dancing", console=console)
        for chart in song.charts
    ]
    used = [each for each in table if each[0] == "train" or each[1] == "stepmania5"]
    levels = {
        level: _quantiles([each[4] for each in used if each[2] == level]) for level in DIFFICULTIES
    }
    meters = [(each[0], each[3], each[4]) for each in table if each[1] != "stepmania5"]
    model = _fit([m for m in meters if m[0] == "train"])
    report = {part: _errors(model, meters, part) for part in ("train", "valid", "test")}
    made = {
        "charts": "In The Groove, training part, and StepMania 5; rates as of envs.dance.feet",
        "quantiles": list(QUANTILES),
        "levels": levels,
        "meter": {**model, "mean_absolute_error": report},
    }
    deliver(place, lambda path: write_json(path, made))
    for part, (error, constant, count) in report.items():
        console.print(
            f"meter, {part}: mean absolute error {error:.2f} over {count} charts "
            f"(always the mean: {constant:.2f})"
        )
    console.print(f"written to {place}", highlight=False, soft_wrap=True)


def _quantiles(found: list[dict[str, float]]) -> dict[str, list[float]]:
    by_rate = {name: [each[name] for each in found] for name in found[0]}
    return {
        name: [round(float(value), 4) for value in np.quantile(values, QUANTILES)]
        for name, values in by_rate.items()
    }


def _fit(charts: list[tuple[str, int, dict[str, float]]]) -> dict[str, Any]:
    """Ridge regression of the meter on standardised features."""
    features = np.stack([meter_features(each[2], list(METER_RATES)) for each in charts])
    meters = np.array([each[1] for each in charts], np.float64)
    mean, scale = features.mean(0), np.maximum(features.std(0), LEAST_SCALE)
    x = (features - mean) / scale
    weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (meters - meters.mean()))
    return {
        "rates": list(METER_RATES),
        "mean": mean.round(5).tolist(),
        "scale": scale.round(5).tolist(),
        "weights": weights.round(5).tolist(),
        "intercept": round(float(meters.mean()), 5),
    }


def _errors(
    model: dict[str, Any], charts: list[tuple[str, int, dict[str, float]]], part: str
) -> tuple[float, float, int]:
    mine = [each for each in charts if each[0] == part]
    error = [abs(estimate_meter(each[2], model) - each[1]) for each in mine]
    constant = [abs(model["intercept"] - each[1]) for each in mine]
    return round(float(np.mean(error)), 3), round(float(np.mean(constant)), 3), len(mine)
