"""Dance charts as tensors, with their panels exchanged at will."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.dance.history import FIRST_S, MIRRORED, Looks, intervals, look_back
from envs.dance.chart import MIRRORS, Chart
from envs.dance.corpus import corpus, split
from hardware_sim.errors import InputError

CORPORA = ("itg", "thumbsy", "arcade")
"""Corpora that networks distinguish."""

FEWEST_ROWS = 20
"""Shorter human charts are left out, as drafts."""

_MIRRORED = torch.from_numpy(MIRRORED.astype(np.int64))
_PANELS = torch.tensor(list(MIRRORS.values()))


@dataclass(frozen=True)
class Steps:
    """One chart, or a part of it, as networks see it; N places.

    Attributes:
        rows: (N,) uint8 codes.
        before: (N,) uint8, the row before each; 0 before a chart's start.
        ticks: (N,) int64.
        times: (N,) float64, seconds.
        between: (N,) int64, ticks since the row before.
        seconds: (N, 2) float32, since the row before and until the next; :data:`FIRST_S` where
            there is none.
        level: 0..4.
        corpus: Place in :data:`CORPORA`.
        looks: Facts (N, ...) of every place; None for networks that do not need them.
    """

    rows: NDArray[np.uint8]
    before: NDArray[np.uint8]
    ticks: NDArray[np.int64]
    times: NDArray[np.float64]
    between: NDArray[np.int64]
    seconds: NDArray[np.float32]
    level: int
    corpus: int = 0
    looks: Looks | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def parts(self, size: int) -> "Iterator[Steps]":
        """Consecutive parts of up to ``size`` places."""
        names = ("rows", "before", "ticks", "times", "between", "seconds", "looks")
        for start in range(0, len(self), size):
            cut = slice(start, start + size)
            found = {name: getattr(self, name) for name in names}
            yield replace(self, **{n: part[cut] for n, part in found.items() if part is not None})


def steps(
    ticks: NDArray[Any],
    times: NDArray[Any],
    level: int,
    rows: NDArray[np.uint8] | None = None,
    corpus: str = "itg",
) -> Steps:
    """A chart as networks see it.

    Args:
        ticks: (N,) int, ascending.
        times: (N,) float, seconds.
        level: Coarse level 0..4.
        rows: (N,) codes; zeros while none are known.
        corpus: The corpus whose manner is wanted; one of :data:`CORPORA`.

    Raises:
        InputError: There is no such level, or nothing to choose.
    """
    if not 0 <= level <= 4:
        raise InputError(f"level {level} of a chart; allowed: 0 (Beginner) to 4 (Challenge)")
    if not len(ticks):
        raise InputError("a chart needs at least one time")
    codes = np.zeros(len(ticks), np.uint8) if rows is None else rows
    between, seconds = intervals(ticks, times)
    around = np.stack([seconds, np.append(seconds[1:], FIRST_S)], -1)
    return Steps(
        codes,
        np.append(np.uint8(0), codes[:-1]).astype(np.uint8),
        np.asarray(ticks, np.int64),
        np.asarray(times, np.float64),
        between,
        around.astype(np.float32),
        level,
        CORPORA.index(corpus),
    )


def chart_steps(charts: Sequence[Chart], corpus: str) -> list[Steps]:
    """Charts, each of a coarse level, as networks see them, without looks."""
    return [steps(each.ticks, each.times, each.level, each.rows, corpus) for each in charts]


def with_looks(charts: Sequence[Steps]) -> list[Steps]:
    """The charts with the facts of :mod:`agents.dance.history` at every place."""
    found = list(charts)
    order = sorted(range(len(charts)), key=lambda i: len(charts[i]))
    for start in range(0, len(order), 32):
        group = order[start : start + 32]
        rows, ticks, times = (
            piled(getattr(charts[i], name) for i in group) for name in ("rows", "ticks", "times")
        )
        seen = look_back(rows, ticks, times)
        for i, chart in enumerate(group):
            found[chart] = replace(charts[chart], looks=seen[i, : len(charts[chart])])
    return found


def human_songs(name: str, part: str) -> dict[str, list[Chart]]:
    """Songs of a corpus, by name, with the charts that networks learn from or are judged on.

    These have a level, times that rise and at least :data:`FEWEST_ROWS` rows.

    Args:
        name: See :func:`envs.dance.corpus.corpus`.
        part: See :func:`envs.dance.corpus.split`.
    """

    def sound(chart: Chart) -> bool:
        rising = bool((np.diff(chart.times) > 0).all())
        return chart.level >= 0 and len(chart.rows) >= FEWEST_ROWS and rising

    songs = [song for song in corpus(name) if split(song) == part]
    return {song.name: [chart for chart in song.charts if sound(chart)] for song in songs}


def human_charts(name: str, part: str) -> list[Chart]:
    """The charts of :func:`human_songs`, song by song."""
    return [chart for charts in human_songs(name, part).values() for chart in charts]


def piled(parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Arrays (N, ...) of several lengths as one (B, N, ...), padded with zeros."""
    found = list(parts)
    size, first = max(len(part) for part in found), found[0]
    pile = np.zeros((len(found), size, *first.shape[1:]), first.dtype)
    for place, part in zip(pile, found, strict=True):
        place[: len(part)] = part
    return pile


def tensor(array: NDArray[Any]) -> Tensor:
    """Shares the array's memory, but for codes and lengths, which become int64 to index by."""
    return torch.from_numpy(array.astype(np.int64) if array.dtype == np.uint8 else array)


def look_tensors(looks: Looks) -> dict[str, Tensor]:
    """The fields of looks, by name."""
    return {field.name: tensor(getattr(looks, field.name)) for field in fields(Looks)}


@dataclass(frozen=True)
class Batch:
    """Several charts; see :class:`Steps`. Tensors (B, N, ...), places beyond a chart's end zero.

    Attributes:
        mask: (B, N) bool, true at the chart's places, false beyond its end.
        level: (B,) int64.
        corpus: (B,) int64.
    """

    rows: Tensor
    before: Tensor
    ticks: Tensor
    between: Tensor
    seconds: Tensor
    level: Tensor
    corpus: Tensor
    mask: Tensor
    looks: dict[str, Tensor] | None

    def to(self, device: str) -> "Batch":
        """The same on a device of torch."""
        moved = {name: part.to(device) for name, part in vars(self).items() if name != "looks"}
        looks = self.looks and {name: part.to(device) for name, part in self.looks.items()}
        return Batch(**moved, looks=looks)

    def mirrored(self, mirrors: Tensor) -> "Batch":
        """The same charts with panels exchanged, each by the mirror of a number (B,) 0..3."""
        device = self.rows.device
        codes_of, panels_of = _MIRRORED[mirrors].to(device), _PANELS[mirrors].to(device)

        def exchanged(codes: Tensor) -> Tensor:
            return codes_of.gather(1, codes.reshape(len(codes), -1)).reshape(codes.shape)

        looks = self.looks
        if looks is not None:
            panels = panels_of[:, None].expand(looks["held"].shape)
            moved = {name: looks[name].gather(2, panels) for name in ("held", "since", "steps")}
            looks = {**looks, **moved}
            looks.update({name: exchanged(looks[name]) for name in ("repeat", "copy")})
        rows, before = exchanged(self.rows), exchanged(self.before)
        return replace(self, rows=rows, before=before, looks=looks)


def exchange(scores: Tensor, mirror: int) -> Tensor:
    """Scores (..., 256) of rows, given those of the rows with panels exchanged."""
    return scores[..., _MIRRORED[mirror]]


def collate(charts: Sequence[Steps]) -> Batch:
    """Charts as one batch, padded to the longest."""
    looks = None
    if charts[0].looks is not None:
        looks = {
            field.name: tensor(piled(getattr(each.looks, field.name) for each in charts))
            for field in fields(Looks)
        }
    pile = {
        name: tensor(piled(getattr(each, name) for each in charts))
        for name in ("rows", "before", "ticks", "between", "seconds")
    }
    return Batch(
        **pile,
        level=torch.tensor([each.level for each in charts]),
        corpus=torch.tensor([each.corpus for each in charts]),
        mask=tensor(piled(np.ones(len(each), np.bool_) for each in charts)),
        looks=looks,
    )


def batches(
    charts: Sequence[Steps], places: int, rng: np.random.Generator | None = None
) -> list[list[Steps]]:
    """Charts of like length together.

    Args:
        charts: All of them are used.
        places: At most so many in a batch, padding included, unless a single chart has more.
        rng: Shuffles; without one the order is by length.
    """
    lengths = np.array([len(each) for each in charts], np.float64)
    if rng is not None:
        lengths *= rng.uniform(0.8, 1.25, len(lengths))
    found: list[list[Steps]] = []
    longest = 0
    for chart in (charts[i] for i in np.argsort(lengths, kind="stable")):
        longest = max(longest, len(chart))
        if not found or longest * (len(found[-1]) + 1) > places:
            found.append([])
            longest = len(chart)
        found[-1].append(chart)
    if rng is not None:
        rng.shuffle(found)
    return found
