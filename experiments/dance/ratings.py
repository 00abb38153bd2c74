"""``gymworks dance ratings``: sums up how people rated charts in the preview, from 1 to 5."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from experiments.options import AsJson, print_json, printer
from experiments.statistics import mean, stratified_bootstrap
from hardware_sim.errors import InputError
from hardware_sim.reading import read_json

SUFFIX = ".rating.json"
"""End of the name of a file with one rating, which the page of a preview offers."""

LOWEST, HIGHEST = 1, 5
LARGEST = 4096
"""Bytes of a file beyond which it is no rating."""

WORDS = ("chart", "level", "notes")


@dataclass(frozen=True)
class Rating:
    """One person's rating of one chart.

    Attributes:
        chart: Name of the chart file.
        level: Difficulty and meter, such as ``"Hard 7"``.
        notes: Digest of the notes: a chart that is edited is another one.
        rating: From 1 to 5.
    """

    chart: str
    level: str
    notes: str
    rating: int


def read(path: Path) -> Rating:
    """The rating of a file.

    Raises:
        InputError: The file is no rating.
    """
    allowed = f"allowed: what the page of gymworks dance preview saves, as *{SUFFIX}"
    try:
        document: Any = read_json(path, LARGEST)
    except InputError as error:
        raise InputError(f"{path} is no rating ({error}); {allowed}") from None
    if not isinstance(document, dict) or set(document) != {*WORDS, "rating"}:
        raise InputError(f"{path} is no rating; {allowed}")
    rating = document["rating"]
    if type(rating) is not int or not LOWEST <= rating <= HIGHEST:
        raise InputError(f"{path}: the rating is {rating!r}; allowed: {LOWEST} to {HIGHEST}")
    if not all(isinstance(document[word], str) for word in WORDS):
        raise InputError(f"{path}: {', '.join(WORDS)} are texts; {allowed}")
    return Rating(**document)


def summaries(ratings: list[Rating]) -> list[dict[str, Any]]:
    """Mean, count and interval for each chart, in the order of their names.

    Returns:
        For each chart ``chart``, ``level``, ``notes``, ``count``, ``mean`` and ``interval``, the
        95 % bootstrap interval of the mean; ``None`` where only one person rated it.
    """
    by_chart: dict[tuple[str, str, str], list[int]] = {}
    for each in ratings:
        by_chart.setdefault((each.chart, each.level, each.notes), []).append(each.rating)
    return [
        {**dict(zip(WORDS, names, strict=True)), **_summary(found)}
        for names, found in sorted(by_chart.items())
    ]


def _summary(found: list[int]) -> dict[str, Any]:
    scores = np.array(found, np.float64)[:, None]
    several = len(found) > 1
    return {
        "count": len(found),
        "mean": round(mean(scores), 3),
        "interval": [round(end, 3) for end in stratified_bootstrap(scores, mean)]
        if several
        else None,
    }


def command(
    folder: Annotated[Path, typer.Argument(help="Looked through with all folders in it.")],
    as_json: AsJson = False,
) -> None:
    """Sum up the ratings of charts that people saved from previews."""
    ratings = [read(path) for path in sorted(folder.rglob(f"*{SUFFIX}"))]
    if not ratings:
        raise InputError(f"{folder} has no ratings (*{SUFFIX}); gymworks dance preview offers them")
    found = summaries(ratings)
    if as_json:
        print_json({"charts": found, "all": _summary([each.rating for each in ratings])})
        return
    console = printer()
    for each in found:
        name = f"{each['chart']}, {each['level']} ({each['notes'][:8]})"
        console.print(f"{name}: {_described(each)}", markup=False)
    if len(found) > 1:
        together = _described(_summary([each.rating for each in ratings]))
        console.print(f"all charts: {together}", markup=False)


def _described(summary: dict[str, Any]) -> str:
    text = f"{summary['mean']:.2f} of {HIGHEST}, {summary['count']} rated it"
    if summary["interval"] is None:
        return text
    low, high = summary["interval"]
    return f"{text}, 95 % interval {low:.2f} to {high:.2f}"
