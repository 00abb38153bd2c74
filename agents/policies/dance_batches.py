"""Dance charts as tensors, with their panels exchanged at will."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.policies.dance_history import FIRST_S, MIRRORED, Looks, intervals, look_back
from envs.dance.chart import MIRRORS, Chart
from hardware_sim.errors import InputError

CORPORA = ("itg", "thumbsy", "arcade")
"""Corpora that networks tell apart."""

_MIRRORED = torch.from_numpy(MIRRORED.astype(np.int64))
_PANELS = torch.tensor(list(MIRRORS.values()))


@dataclass(frozen=True)
class Steps:
    """What networks see of one chart, or of a part of it; N places.

    Attributes:
        rows: (N,) uint8 codes.
        before: (N,) uint8, the row before each; 0 before a chart's start.
        ticks: (N,) int64.
        between: (N,) int64, ticks since the row before.
        seconds: (N, 2) float32, since the row before and until the next; :data:`FIRST_S` where
            there is none.
        level: 0..4.
        corpus: Place in :data:`CORPORA`.
        looks: Facts (N, ...) of every place; absent if nobody asked for them.
    """

    rows: NDArray[np.uint8]
    before: NDArray[np.uint8]
    ticks: NDArray[np.int64]
    between: NDArray[np.int64]
    seconds: NDArray[np.float32]
    level: int
    corpus: int = 0
    looks: Looks | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def parts(self, size: int) -> "Iterator[Steps]":
        """Consecutive parts of up to ``size`` places."""
        names = ("rows", "before", "ticks", "between", "seconds", "looks")
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
    """What networks see of a chart.

    Args:
        ticks: (N,) int, ascending.
        times: (N,) float, seconds.
        level: Coarse level 0..4.
        rows: (N,) codes; zeros while none are known.
        corpus: Whose manner; one of :data:`CORPORA`.

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
        between,
        around.astype(np.float32),
        level,
        CORPORA.index(corpus),
    )


def chart_steps(charts: Sequence[Chart], corpus: str, looks: bool) -> list[Steps]:
    """What networks see of human charts.

    Args:
        charts: Of a coarse level each.
        corpus: Where they are from.
        looks: Whether to look for repeats and the like, which takes a while.
    """
    found = [steps(each.ticks, each.times, each.level, each.rows, corpus) for each in charts]
    if not looks:
        return found
    order = sorted(range(len(charts)), key=lambda i: len(found[i]))
    for start in range(0, len(order), 32):
        group = order[start : start + 32]
        size = max(len(found[i]) for i in group)
        rows, ticks, times = (
            np.stack([_padded(getattr(charts[i], name), size) for i in group])
            for name in ("rows", "ticks", "times")
        )
        seen = look_back(rows, ticks, times)
        for i, chart in enumerate(group):
            found[chart] = replace(found[chart], looks=seen[i, : len(found[chart])])
    return found


@dataclass(frozen=True)
class Batch:
    """Several charts; see :class:`Steps`. Tensors (B, N, ...), places beyond a chart's end zero.

    Attributes:
        mask: (B, N) bool, whether a place is the chart's.
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

    def mirrored(self, mirrors: Tensor) -> "Batch":
        """The same charts with panels exchanged, each by the mirror of a number (B,) 0..3."""

        def exchanged(codes: Tensor) -> Tensor:
            return _MIRRORED[mirrors].gather(1, codes.reshape(len(codes), -1)).reshape(codes.shape)

        looks = self.looks
        if looks is not None:
            panels = _PANELS[mirrors][:, None].expand(looks["held"].shape)
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
    size = max(len(each) for each in charts)

    def pile(parts: Iterable[NDArray[Any]]) -> Tensor:
        found = np.stack([_padded(part, size) for part in parts])
        return torch.from_numpy(found.astype(np.int64) if found.dtype == np.uint8 else found)

    looks = None
    if charts[0].looks is not None:
        looks = {f.name: pile(getattr(each.looks, f.name) for each in charts) for f in fields(Looks)}
    return Batch(
        *(
            pile(getattr(each, name) for each in charts)
            for name in ("rows", "before", "ticks", "between", "seconds")
        ),
        torch.tensor([each.level for each in charts]),
        torch.tensor([each.corpus for each in charts]),
        pile(np.ones(len(each), np.bool_) for each in charts),
        looks,
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
        rng.shuffle(found)  # type: ignore[arg-type]
    return found


def _padded(part: NDArray[Any], size: int) -> NDArray[Any]:
    return np.pad(part, [(0, size - len(part))] + [(0, 0)] * (part.ndim - 1))
