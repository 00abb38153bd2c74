"""Onsets found in songs never trained on: ``python -m experiments.dance.onset_report RUN``.

Scores what ``python -m agents.dance.recipes.onsets folds RUN`` found, in any number of runs that
differ in their seed. For every model, level and song: average precision (the area under precision
over recall) and F-scores at 20 ms. Which candidates are steps is decided in four ways: by the
threshold that is best on the songs trained on; for networks whose heights are probabilities, by the
greatest expected F-score; by taking as many as the chart has, as if the density were asked for; and
by the threshold that is best for the chart itself, as the paper does. The lag between a song's
charts and its audio is removed for all models.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.table import Table

from agents.dance.onsets import expected_count
from agents.dance.recipes.onsets import BEAT_MODELS, MODELS, within
from agents.provenance import provenance
from envs.dance import scoring
from envs.dance.chart import DIFFICULTIES
from envs.dance.recordings import Recording, recordings
from experiments.options import printer
from hardware_sim.commands import run
from hardware_sim.errors import InputError
from hardware_sim.files import write_json

MEASURES = ("precision", "f_trained", "f_expected", "f_count", "f_best")
TITLES = {
    "precision": "average precision",
    "f_trained": "F, threshold of the songs trained on",
    "f_expected": "F, most expected",
    "f_count": "F, as many steps as the chart has",
    "f_best": "F, best threshold",
}
GROUPS = {"pad": "2 songs for pads", "guitar": "8 songs for guitars"}


def scored(found: Any, level: int, true: NDArray[np.float64], is_likely: bool) -> dict[str, float]:
    """The measures of one chart.

    Args:
        found: A file of candidates as ``folds`` keeps it.
        level: The chart's.
        true: When its steps sound, in seconds.
        is_likely: Whether heights are probabilities.
    """
    every = found[f"times_{level}"], found[f"heights_{level}"].astype(np.float64)
    times, heights = within(*every, true)
    right = scoring.hits(times, heights, true)
    ranked = np.sort(heights)[::-1]
    limits = {
        "f_trained": float(found["thresholds"][level]),
        "f_count": float(ranked[min(len(true), len(ranked)) - 1]),
        "f_best": scoring.best_threshold(heights, right, len(true)),
    }
    if is_likely:
        whole = np.sort(every[1])[::-1]
        limits["f_expected"] = float(whole[expected_count(whole) - 1])
    result = {"precision": scoring.average_precision(heights, right, len(true))}
    for name, limit in limits.items():
        taken = times[heights >= limit]
        result[name] = scoring.f_score(scoring.matches(taken, true), len(taken), len(true))
    return result


def measured(runs: Sequence[Path], songs: list[Recording]) -> dict[str, Any]:
    """The measures of all models that runs hold for all songs.

    Raises:
        InputError: There is none.
    """
    models: dict[str, Any] = {}
    for name in MODELS:
        found = [charts for run in runs if (charts := _charts(run / name, songs, name))]
        if found:
            every = [line for charts in found for line in charts]
            models[name] = {
                "runs": len(found),
                "cpu_s_per_training": float(np.mean([line.pop("spent_s") for line in every])),
                "means": means(every),
                "by_run": [means(charts) for charts in found],
                "charts": found,
            }
    if not models:
        raise InputError(
            f"{', '.join(map(str, runs))}: no model's findings on all songs; first run "
            f"python -m agents.dance.recipes.onsets folds {runs[0]}"
        )
    return {**provenance(), "lags_s": {song.name: song.lag_s for song in songs}, "models": models}


def _charts(folder: Path, songs: list[Recording], model: str) -> list[dict[str, Any]]:
    """The measures of every chart that a model was tried on; none if a song is missing."""
    paths = [folder / f"{song.name}.npz" for song in songs]
    if not all(path.exists() for path in paths):
        return []
    charts = []
    for song, path in zip(songs, paths, strict=True):
        with np.load(path) as found:
            for level in song.charts:
                line = scored(found, level, song.times(level), model in BEAT_MODELS)
                named = {"song": song.name, "style": song.style, "level": level}
                charts.append({**named, **line, "spent_s": float(found["spent_s"])})
    return charts


def means(charts: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Means over charts by group of songs, level and measure."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for group in (*GROUPS, "all"):
        inside = [each for each in charts if group in (each["style"], "all")]
        levels = {
            name: [each for each in inside if each["level"] == level]
            for level, name in enumerate(DIFFICULTIES)
        }
        levels["all levels"] = inside
        found[group] = {
            name: {
                measure: float(np.mean([each[measure] for each in lines]))
                for measure in MEASURES
                if measure in lines[0]
            }
            for name, lines in levels.items()
            if lines
        }
    return found


def tables(report: dict[str, Any]) -> Iterable[Table]:
    """The means for a person, a table a measure and group of songs."""
    for group, songs in (*GROUPS.items(), ("all", "all 10 songs")):
        for measure in MEASURES:
            lines = {
                name: [_cell(found, group, each, measure) for each in (*DIFFICULTIES, "all levels")]
                for name, found in report["models"].items()
                if measure in found["means"][group]["all levels"]
            }
            if lines:
                table = Table(box=SIMPLE, title=f"{TITLES[measure]}; {songs}, left out of training")
                table.add_column("model")
                for level in (*DIFFICULTIES, "all levels"):
                    table.add_column(level, justify="right")
                for name, line in lines.items():
                    table.add_row(name, *line)
                yield table


def _cell(found: dict[str, Any], group: str, level: str, measure: str) -> str:
    """A mean, and the least and most of several runs."""
    if level not in found["means"][group]:
        return ""
    mean = f"{found['means'][group][level][measure]:.3f}"
    if found["runs"] == 1:
        return mean
    each = [run[group][level][measure] for run in found["by_run"]]
    return f"{mean} ({min(each):.3f} to {max(each):.3f})"


def main(
    run: Annotated[list[Path], typer.Argument(help="Folders of `folds`, one a seed.")],
    data: Annotated[Path | None, typer.Option(help="Folder of the data.")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON; RUN/report.json if missing.")] = None,
) -> None:
    """Prints tables and writes the figures as JSON."""
    report = measured(run, recordings(folder=data))
    console = printer(soft_wrap=False)
    for table in tables(report):
        console.print(table)
    path = write_json(out or run[0] / "report.json", report)
    typer.echo(f"kept in {path}")


if __name__ == "__main__":
    run(main)
