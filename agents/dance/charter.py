"""Writes playable charts of a song: its onsets, the panels, and the best of several draws."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agents.dance import selection
from agents.dance.batches import Steps, steps, with_looks
from agents.dance.charting import find_onsets
from agents.dance.critic import nats
from agents.dance.sampling import sample
from envs.dance.chart import DIFFICULTIES, HEAD, PANELS, TAIL, Chart, held_before, rows_of, states
from envs.dance.feet import feet, rates
from envs.dance.playability import estimate_meter
from envs.dance.timing import TICKS, Timing

DRAWS = 8
"""Charts drawn for each level, of which the best is kept."""

EFFORT_PRICE = 0.25
"""Nats that a unit of the feet's cost counts against a draw."""

RELEASE_TICKS = TICKS // 4
"""A hold ends so long before the row on which it was to end."""

FEET = 2
"""Panels that are down at once where each foot has one."""

HANDS_LEVELS = ("Hard", "Challenge")
"""Levels of which at least one human chart in twenty has three panels down at once."""

TOP_P = 0.95
AUTHOR = "gymworks"


@dataclass(frozen=True)
class Style:
    """Settings of the draw of rows.

    Attributes:
        temperature: Below 1 the likely rows become likelier.
        draws: Charts drawn for each level, of which the best is kept.
        effort_price: Nats that a unit of the feet's cost counts.
        hands: Three panels may be down at once at the levels where human charts have that.
    """

    temperature: float = 1.0
    draws: int = DRAWS
    effort_price: float = EFFORT_PRICE
    hands: bool = True


STYLES = {
    "natural": Style(),
    "easy-on-the-feet": Style(temperature=0.9, draws=2 * DRAWS, effort_price=1.0, hands=False),
    "adventurous": Style(temperature=1.15, draws=DRAWS // 2, effort_price=0.1),
}


def charts(
    features: NDArray[np.floating],
    timing: Timing,
    levels: Sequence[str] = DIFFICULTIES,
    style: str = "natural",
    density: float | None = None,
    seed: int = 0,
    report: Callable[[str], None] = lambda stage: None,
) -> tuple[Chart, ...]:
    """Charts of a song.

    Args:
        features: Log-mel spectra ``(T, 80, 3)``; see :func:`envs.dance.audio.log_mel`.
        timing: The song's beats.
        levels: Some of ``DIFFICULTIES``.
        style: One of :data:`STYLES`.
        density: Steps a second, instead of what the level has.
        seed: Of the draws.
        report: Called with the name of each stage as it begins.

    Raises:
        InputError: There is no such level, the density is out of range, or the song too short.
    """
    manner = STYLES[style]
    report("finding onsets")
    onsets = find_onsets(features, timing, levels, density)
    wanted = [
        steps(where.ticks, where.times, DIFFICULTIES.index(level))
        for level, where in zip(levels, onsets, strict=True)
    ]
    report("choosing panels")
    drawn = _draw(wanted, manner, seed)
    report("walking through the charts")
    return tuple(
        _chart(best(each, found, manner.effort_price), each, level)
        for level, each, found in zip(levels, wanted, drawn, strict=True)
    )


def _draw(wanted: list[Steps], manner: Style, seed: int) -> list[list[NDArray[np.uint8]]]:
    """Rows of several draws of each chart."""
    many = [each for each in wanted for _ in range(manner.draws)]
    seeds = [seed * manner.draws + k for _ in wanted for k in range(manner.draws)]
    hands = [manner.hands and DIFFICULTIES[each.level] in HANDS_LEVELS for each in many]
    most = np.where(hands, len(PANELS), FEET)
    rows = sample(selection.shipped(), many, seeds, manner.temperature, TOP_P, most)
    return [rows[i : i + manner.draws] for i in range(0, len(rows), manner.draws)]


def best(
    where: Steps, drawn: Sequence[NDArray[np.uint8]], effort_price: float
) -> NDArray[np.uint8]:
    """Of several drawn charts the one whose rows are likeliest less what they cost the feet.

    Args:
        where: The chart's times and level.
        drawn: Rows ``(N,)`` of each draw.
        effort_price: Nats that a unit of the feet's cost counts.
    """
    written = [steps(where.ticks, where.times, where.level, rows) for rows in drawn]
    costs = [float(each.sum()) for each in nats(selection.shipped(), with_looks(written))]
    efforts = [float(feet(rows, where.times).costs.sum()) for rows in drawn]
    return drawn[int(np.argmin(np.array(costs) + effort_price * np.array(efforts)))]


def released(
    ticks: NDArray[np.int64], rows: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Ends holds a little before the rows on which other panels are pressed, as people do.

    Args:
        ticks: int64 ``(N,)``, ascending.
        rows: uint8 ``(N,)``, sound from the start of a chart.

    Returns:
        Ticks and rows of the same holds and taps, holds shorter by up to :data:`RELEASE_TICKS`,
        but at least half as long as they were.
    """
    panel = states(rows)
    begun = np.zeros(4, np.int64)
    ends: dict[int, NDArray[np.int64]] = {}
    kept = panel.copy()
    for i, tick in enumerate(ticks.tolist()):
        for p in np.flatnonzero(panel[i] == TAIL):
            earliest = int(ticks[i - 1]) + 1
            end = max(tick - RELEASE_TICKS, (int(begun[p]) + tick + 1) // 2, earliest)
            if end < tick and (panel[i] != TAIL)[panel[i] > 0].any():
                ends.setdefault(end, np.zeros(4, np.int64))[p] = TAIL
                kept[i, p] = 0
        begun[panel[i] == HEAD] = tick
    joined = dict(zip(ticks.tolist(), kept, strict=True))
    for tick, tails in ends.items():
        joined[tick] = joined.get(tick, np.zeros(4, np.int64)) + tails
    found = [(tick, row) for tick, row in sorted(joined.items()) if row.any()]
    return np.array([t for t, _ in found]), rows_of(np.stack([row for _, row in found]))


def _chart(rows: NDArray[np.uint8], where: Steps, level: str) -> Chart:
    """The chart with its meter, its holds ended like people's."""
    ticks, codes = released(where.ticks, rows)
    times = np.interp(ticks, where.ticks, where.times)
    chart = Chart(ticks, codes, times, level, 1, AUTHOR)
    assert not held_before(np.append(codes, np.uint8(1)))[-1].any()
    return replace(chart, meter=max(1, round(estimate_meter(rates(chart)))))
