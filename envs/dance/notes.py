"""The text of a chart's notes: measures of rows of characters, one a panel."""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.dance.chart import HEAD, OFF, PANELS, TAIL, TAP, Chart, rows_of, states
from envs.dance.timing import TICKS
from hardware_sim.errors import InputError

MEASURE = 4 * TICKS
"""Ticks a measure."""

ROWS_A_MEASURE = (4, 8, 12, 16, 24, 32, 48, 64, 192)
"""Numbers of rows that a written measure may have: the note types that StepMania knows."""

MOST_MEASURES = 10_000
"""Most measures of a chart: hours of music."""

TAPS, IGNORED = "1L", "0FKAS"
"""Taps and lifts; nothing, fakes, keysounds, attacks."""

MEANT = frozenset("01234ML" + IGNORED)


class Notes(NamedTuple):
    """The notes of a chart's text, on the grid.

    Attributes:
        ticks: (N,) int64, ascending.
        rows: (N,) uint8, none of them 0.
        mines: (M, 2) int64, tick and panel.
        rolls: (R, 2) int64, tick and panel of heads in ``rows``.
    """

    ticks: NDArray[np.int64]
    rows: NDArray[np.uint8]
    mines: NDArray[np.int64]
    rolls: NDArray[np.int64]


def parse(text: str, repair: bool = False) -> dict[tuple[int, int], str]:
    """Reads notes: ``{(tick, panel): character}`` of everything but ``0``.

    Args:
        text: Rows of four characters; a comma ends a measure.
        repair: Whether rows of a wrong length are cut or filled up instead of refused.

    Raises:
        InputError: A row does not have four characters, one of them means nothing, or there are
            more than :data:`MOST_MEASURES`.
    """
    notes: dict[tuple[int, int], str] = {}
    text = re.sub(r"//[^\n]*|\[\d+\]|\{[^{}]*\}", "", text)
    measures = text.split(",")
    if len(measures) > MOST_MEASURES:
        raise InputError(f"{len(measures)} measures; allowed: at most {MOST_MEASURES}")
    for number, measure in enumerate(measures):
        lines = measure.split()
        for i, line in enumerate(lines):
            if len(line) != len(PANELS) and not repair:
                raise InputError(
                    f"measure {number}, row {i} is {line!r}; allowed: {len(PANELS)} characters"
                )
            tick = number * MEASURE + round(i * MEASURE / len(lines))
            for panel, character in enumerate(map(str.upper, line[: len(PANELS)])):
                if character not in MEANT:
                    raise InputError(
                        f"measure {number}, row {i} is {line!r}; allowed: 0 1 2 3 4 M L F K A"
                    )
                if character != "0":
                    notes[tick, panel] = character
    return notes


def placed(notes: dict[tuple[int, int], str], repair: bool = False) -> Notes:
    """Rows, mines and rolls of notes.

    Args:
        notes: See :func:`parse`.
        repair: Whether a head without a tail and a tail without a head are dropped, as games do.

    Raises:
        InputError: A hold is not closed or a tail has no head; the message names the beat.
    """
    kept = _closed(notes, repair)
    at = sorted({tick for (tick, _), c in kept.items() if c in TAPS + "234"})
    index = {tick: i for i, tick in enumerate(at)}
    panels = np.full((len(at), len(PANELS)), OFF, np.int64)
    of = {"1": TAP, "L": TAP, "2": HEAD, "4": HEAD, "3": TAIL}
    for (tick, panel), character in kept.items():
        if character in of:
            panels[index[tick], panel] = of[character]
    return Notes(np.array(at, np.int64), rows_of(panels), _where(kept, "M"), _where(kept, "4"))


def _closed(notes: dict[tuple[int, int], str], repair: bool) -> dict[tuple[int, int], str]:
    kept = {key: notes[key] for key in sorted(notes) if notes[key] not in IGNORED}
    head: dict[int, tuple[int, int]] = {}
    faults = []
    for key, character in list(kept.items()):
        panel = key[1]
        if character == "3":
            if panel not in head:
                faults.append((key, "a tail without a hold"))
            head.pop(panel, None)
            continue
        if panel in head:
            faults.append((head.pop(panel), "a hold that another note cuts off"))
        if character in "24":
            head[panel] = key
    faults += [(key, "a hold that never ends") for key in head.values()]
    for (tick, panel), what in faults:
        if not repair:
            raise InputError(f"{what} on {PANELS[panel]} at beat {tick / TICKS:g}")
        del kept[tick, panel]
    return kept


def _where(notes: dict[tuple[int, int], str], character: str) -> NDArray[np.int64]:
    return np.array([key for key, c in notes.items() if c == character], np.int64).reshape(-1, 2)


def text(chart: Chart) -> str:
    """Notes as games read them, each measure with as few rows as hold its notes.

    Args:
        chart: Its holds are closed.

    Returns:
        Measures joined by commas, from the first to the last with a note; at least one.
    """
    last = max(int(each) for each in (0, *chart.ticks[-1:], *chart.mines[-1:, 0]))
    used = np.append(chart.ticks, chart.mines[:, 0])
    grid = np.full(((last // MEASURE + 1) * MEASURE, len(PANELS) + 1), ord("0"), np.uint8)
    grid[:, -1] = ord("\n")
    grid[chart.ticks, :-1] += states(chart.rows).astype(np.uint8)
    grid[tuple(chart.rolls.T)] = ord("4")
    grid[tuple(chart.mines.T)] = ord("M")
    steps = np.full(len(grid) // MEASURE, MEASURE // ROWS_A_MEASURE[-1])
    for count in reversed(ROWS_A_MEASURE[:-1]):
        step = MEASURE // count
        off = np.bincount(used // MEASURE, used % step > 0, len(steps))
        steps[off == 0] = step
    measures = grid.reshape(len(steps), MEASURE, -1)
    return ",\n".join(
        measure[::step].tobytes().decode()
        for measure, step in zip(measures, steps.tolist(), strict=True)
    )
