"""A chart in the making as a picture and as text."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from envs.dance.batch import DanceBatch
from envs.dance.chart import HEAD, OFF, PANELS, TAIL, states
from envs.dance.timing import TICKS

WIDTH, HEIGHT = 480, 560
LANE, TOP = 52, 40
SHOWN_BEATS = 10.0
"""Beats on the picture, the present one near the bottom."""

BACKGROUND, LINE, BRIGHT = (16, 18, 24), (48, 54, 70), (226, 230, 240)
HOLD, FOOT = (63, 143, 90), ((127, 212, 255), (255, 179, 127))
COLOURS = {4: (255, 90, 90), 8: (90, 140, 255), 12: (184, 107, 255), 16: (255, 216, 74)}
OTHER = (107, 227, 107)
ARROW = np.array(
    [(0, 1), (0.95, 0.05), (0.45, 0.05), (0.45, -0.9), (-0.45, -0.9), (-0.45, 0.05), (-0.95, 0.05)]
)
TURNS = (90, 0, 180, -90)
PAD = ((0, 1), (1, 2), (1, 0), (2, 1))
SIGNS = ".x<>"

Height = Callable[[float], float]
"""Height of a tick on the picture, in pixels from its top."""


def colour(tick: int) -> tuple[int, int, int]:
    """The colour of a note by the part of the measure that its beat needs."""
    for part, found in COLOURS.items():
        if tick % (4 * TICKS // part) == 0:
            return found
    return OTHER


def picture(core: DanceBatch, song: int) -> NDArray[np.uint8]:
    """The last beats of a song's chart, probabilities of a step, feet on the pad and figures.

    Returns:
        uint8 ``(560, 480, 3)``.
    """
    image = Image.new("RGB", (WIDTH, HEIGHT), BACKGROUND)
    draw = ImageDraw.Draw(image)
    episode, table = core.episode[song], core.episodes
    present = float(table.ticks[episode, core.place[song]]) / TICKS
    ticks, _, codes = core.written(song)
    scale = (HEIGHT - 2 * TOP) / SHOWN_BEATS

    def y(tick: float) -> float:
        return HEIGHT - TOP - (present - tick / TICKS) * scale

    first = int(present - SHOWN_BEATS) - 1
    for beat in range(max(first, 0), int(present) + 1):
        shade = BRIGHT if beat % 4 == 0 else LINE
        draw.line([(24, y(beat * TICKS)), (24 + 4 * LANE, y(beat * TICKS))], shade)
    if core.task == "placement":
        _steps(draw, y, ticks, first)
    else:
        _notes(draw, y, ticks, codes, first, present)
    _chances(draw, y, core, song, present)
    _pad(draw, core, song)
    _figures(draw, core, song)
    return np.asarray(image)


def _steps(draw: ImageDraw.ImageDraw, y: Height, ticks: NDArray[np.int64], first: int) -> None:
    for tick in ticks[ticks >= first * TICKS].tolist():
        at = y(tick)
        draw.rectangle([(32, at - 5), (16 + 4 * LANE, at + 5)], colour(tick))


def _notes(
    draw: ImageDraw.ImageDraw,
    y: Height,
    ticks: NDArray[np.int64],
    codes: NDArray[np.uint8],
    first: int,
    present: float,
) -> None:
    heads: dict[int, int] = {}
    for tick, panels in zip(ticks.tolist(), states(codes).tolist(), strict=True):
        for panel, state in enumerate(panels):
            x = 24 + (panel + 0.5) * LANE
            if state == TAIL:
                _hold(draw, x, y(heads.pop(panel)), y(tick))
            if state == HEAD:
                heads[panel] = tick
            if state not in (OFF, TAIL) and tick >= first * TICKS:
                _arrow(draw, x, y(tick), panel, colour(tick))
    for panel, tick in heads.items():
        x = 24 + (panel + 0.5) * LANE
        _hold(draw, x, y(tick), y(present * TICKS))
        _arrow(draw, x, y(tick), panel, colour(tick))


def _hold(draw: ImageDraw.ImageDraw, x: float, begin: float, end: float) -> None:
    draw.rectangle([(x - 9, begin + 12), (x + 9, max(end, begin + 13))], HOLD)


def _arrow(
    draw: ImageDraw.ImageDraw, x: float, y: float, panel: int, fill: tuple[int, int, int]
) -> None:
    angle = np.deg2rad(TURNS[panel])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = 17 * ARROW @ turn.T + (x, y)
    draw.polygon([tuple(point) for point in points.tolist()], fill, BACKGROUND)


def _chances(
    draw: ImageDraw.ImageDraw, y: Height, core: DanceBatch, song: int, present: float
) -> None:
    """Probabilities of a step by the onset critic, as bars beside the lanes."""
    episode, table = core.episode[song], core.episodes
    for place in range(table.length[episode]):
        tick = table.ticks[episode, place]
        if present - SHOWN_BEATS - 1 <= tick / TICKS <= present:
            long = 60 * float(table.onset[episode, place])
            at = y(tick)
            draw.rectangle([(244, at - 2), (246 + long, at + 2)], LINE if long < 30 else BRIGHT)


def _pad(draw: ImageDraw.ImageDraw, core: DanceBatch, song: int) -> None:
    left, top, cell = 330, 350, 44
    for column, line in PAD:
        x, y = left + column * cell, top + line * cell
        draw.rectangle([(x, y), (x + cell - 4, y + cell - 4)], LINE)
    stance = core.feet.stance[song]
    for foot in range(2):
        on = [PAD[panel] for panel in range(len(PANELS)) if stance[foot] >> panel & 1]
        if on and core.task != "placement":
            u, v = np.mean(on, axis=0).tolist()
            across, down = left + cell * (u + 0.45), top + cell * (v + 0.45)
            draw.ellipse([(across - 9, down - 15), (across + 9, down + 15)], FOOT[foot])
            draw.text((across, down), "LR"[foot], BACKGROUND, anchor="mm")


def _figures(draw: ImageDraw.ImageDraw, core: DanceBatch, song: int) -> None:
    names = core.episodes.named(int(core.episode[song]))
    wanted = core.episodes.density[core.episode[song]]
    lines = [
        names["song"].replace("_", " "),
        names["level"],
        f"{core.now[song]:.1f} s",
        f"steps {core.pressed[song]}",
        f"wanted {wanted:.1f} a second",
        f"effort {100 * core.effort[song] / max(core.pressed[song], 1):.0f} for 100",
        f"return {core.total[song]:.1f} nats",
    ]
    for i, line in enumerate(lines):
        draw.text((320, TOP + 24 * i), line, BRIGHT, font_size=15)


def text(core: DanceBatch, song: int) -> str:
    """The last sixteen rows of a song's chart, a line each, under the song, level and time."""
    names = core.episodes.named(int(core.episode[song]))
    ticks, seconds, codes = core.written(song)
    lines = [
        f"{names['song']}, {names['level']}, {core.now[song]:.2f} s, {core.pressed[song]} steps"
    ]
    for tick, second, panels in zip(ticks[-16:], seconds[-16:], states(codes[-16:]), strict=True):
        signs = "".join(SIGNS[state] for state in panels)
        lines.append(f"beat {tick / TICKS:7.2f}  {second:7.2f} s  {signs}")
    return "\n".join(lines)
