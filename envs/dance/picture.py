"""Pictures of charts: columns of measures, arrows coloured by note type, holds, mines and feet."""

import itertools
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from envs.dance.chart import HEAD, PANELS, TAIL, TAP, Chart, states
from envs.dance.feet import FootPath, feet_of
from envs.dance.footwork import Technique
from envs.dance.radar import note_type
from envs.dance.timing import TICKS
from hardware_sim.errors import InputError

COLOURS = {
    4: (240, 72, 72),
    8: (66, 133, 255),
    12: (178, 92, 255),
    16: (255, 200, 40),
    24: (255, 110, 190),
    32: (255, 140, 50),
    48: (60, 215, 225),
    64: (80, 210, 110),
    192: (150, 155, 165),
}
"""Colours of arrows, by note type: quarter notes red, eighths blue, and so on."""

MARKS = {
    Technique.DOUBLE_STEP: ("double step", "D", (255, 82, 82)),
    Technique.SPIN: ("spin", "S", (255, 82, 82)),
    Technique.INVERSION: ("inversion", "I", (255, 160, 60)),
    Technique.CROSSOVER: ("crossover", "X", (255, 205, 80)),
    Technique.FOOTSWITCH: ("footswitch", "F", (120, 215, 255)),
    Technique.SIDESWITCH: ("sideswitch", "F", (120, 215, 255)),
    Technique.BRACKET: ("bracket", "B", (150, 230, 150)),
}
"""Marks beside a row, the gravest first: name, letter, colour."""

BACKGROUND, LANE, LINE, BAR = (16, 18, 24), (25, 28, 37), (40, 45, 58), (78, 86, 106)
INK, FAINT = (236, 239, 244), (140, 149, 168)
HOLD, ROLL, MINE = (76, 190, 120), (205, 120, 60), (225, 60, 70)
FOOT_INK = (10, 20, 45)

MOST_COLUMNS = 100

_FINE = 4
"""Arrows are drawn this much larger and shrunk, for smooth edges."""

_TURNS = {"left": 90, "down": 180, "up": 0, "right": 270}


@dataclass(frozen=True)
class Layout:
    """Sizes of a picture in pixels.

    Attributes:
        measures: Measures in a column.
        beat: Height of a beat.
        arrow: Width of an arrow and, with a little air, of a lane.
        number: Width left of the lanes for the measure's number.
        mark: Width right of the lanes for technique letters.
        margin: Around everything.
        header: Height of title and legend.
    """

    measures: int = 8
    beat: int = 40
    arrow: int = 26
    number: int = 34
    mark: int = 22
    margin: int = 18
    header: int = 78

    @property
    def lane(self) -> int:
        """Width of a lane."""
        return self.arrow + 4

    @property
    def column(self) -> int:
        """Width of a column."""
        return self.number + len(PANELS) * self.lane + self.mark

    @property
    def height(self) -> int:
        """Height of a column."""
        return self.measures * 4 * self.beat


def picture(
    chart: Chart,
    title: str = "",
    first: int | None = None,
    last: int | None = None,
    layout: Layout | None = None,
    path: FootPath | None = None,
) -> NDArray[np.uint8]:
    """Draws a chart, from top to bottom and in columns from left to right.

    Args:
        chart: Any chart.
        title: Title above the chart; its level, meter, steps and author are added.
        first: First measure, from 0; by default the one with the first row.
        last: Last measure; by default the one with the last row.
        layout: Sizes of the picture.
        path: The chart's feet; computed if missing.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        InputError: There are more than :data:`MOST_COLUMNS` columns to draw.
    """
    layout = layout or Layout()
    path = path or feet_of(chart)
    used = chart.ticks // (4 * TICKS)
    first = int(used[0]) if first is None and len(used) else first or 0
    last = int(used[-1]) if last is None and len(used) else last or first
    columns = max(-(-(last - first + 1) // layout.measures), 1)
    if columns > MOST_COLUMNS:
        raise InputError(
            f"{last - first + 1} measures need {columns} columns; allowed: {MOST_COLUMNS} columns "
            f"of {layout.measures} measures"
        )
    width = max(2 * layout.margin + columns * layout.column, 640)
    height = 2 * layout.margin + layout.header + layout.height
    canvas = Image.new("RGB", (width, height), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    _head(draw, layout, chart, title, path)
    place = _Place(layout, first, last)
    for measure in range(first, last + 1):
        _measure(draw, place, measure)
    _holds(draw, place, chart)
    for tick, panel in chart.mines.tolist():
        if place.shows(tick):
            _mine(draw, *place.at(tick, panel), layout.arrow)
    _rows(canvas, draw, place, chart, path)
    return np.asarray(canvas)


@dataclass(frozen=True)
class _Place:
    """The places of ticks on the canvas."""

    layout: Layout
    first: int
    last: int

    def shows(self, tick: int) -> bool:
        return self.first <= tick // (4 * TICKS) <= self.last

    def origin(self, measure: int) -> tuple[int, int]:
        """Upper left corner of a measure's lanes."""
        column, line = divmod(measure - self.first, self.layout.measures)
        x = self.layout.margin + column * self.layout.column + self.layout.number
        return x, self.layout.margin + self.layout.header + line * 4 * self.layout.beat

    def at(self, tick: int, panel: int) -> tuple[float, float]:
        """Centre of an arrow."""
        measure, within = divmod(tick, 4 * TICKS)
        x, y = self.origin(measure)
        half = self.layout.beat / 2
        return x + (panel + 0.5) * self.layout.lane, y + half + within * self.layout.beat / TICKS


def _head(
    draw: ImageDraw.ImageDraw, layout: Layout, chart: Chart, title: str, path: FootPath
) -> None:
    x, y = layout.margin + 4.0, layout.margin
    steps = int(path.stepped.sum())
    draw.text((x, y), title or "Chart", INK, font=_font(24, True))
    about = f"{chart.difficulty} {chart.meter}   {steps} steps"
    about += f"   by {chart.author}" if chart.author else ""
    right = x + draw.textlength(title or "Chart", font=_font(24, True)) + 18
    draw.text((right, y + 9), about, FAINT, font=_font(14))
    y += 40
    shown = set(note_type(chart.ticks).tolist())
    for kind in (kind for kind in COLOURS if kind in shown):
        draw.rounded_rectangle((x, y + 4, x + 12, y + 16), 3, COLOURS[kind])
        x = _label(draw, x + 18, y, f"{kind}{'nd' if kind in (32, 192) else 'th'}")
    draw.text((x + 6, y + 1), "L R", INK, font=_font(14, True))
    x = _label(draw, x + 40, y, "foot")
    named = set()
    for technique, (name, letter, colour) in MARKS.items():
        if path.count(technique) and name not in named:
            named.add(name)
            draw.text((x + 6, y + 1), letter, colour, font=_font(14, True))
            x = _label(draw, x + 20, y, name)


def _label(draw: ImageDraw.ImageDraw, x: float, y: float, text: str) -> float:
    draw.text((x, y + 2), text, FAINT, font=_font(12))
    return x + draw.textlength(text, font=_font(12)) + 16


def _measure(draw: ImageDraw.ImageDraw, place: _Place, measure: int) -> None:
    layout = place.layout
    x, y = place.origin(measure)
    right, bottom = x + len(PANELS) * layout.lane, y + 4 * layout.beat
    draw.rectangle((x, y, right, bottom), LANE)
    for beat in range(4):
        line = y + layout.beat // 2 + beat * layout.beat
        draw.line((x, line, right, line), BAR if beat == 0 else LINE, 2 if beat == 0 else 1)
    draw.text((x - 8, y + layout.beat // 2), str(measure + 1), FAINT, font=_font(12), anchor="rm")


def _holds(draw: ImageDraw.ImageDraw, place: _Place, chart: Chart) -> None:
    panels = states(chart.rows)
    rolls = {tuple(roll) for roll in chart.rolls.tolist()}
    for panel in range(len(PANELS)):
        at = np.flatnonzero(panels[:, panel] >= HEAD)
        for head, tail in itertools.pairwise(at):
            if panels[head, panel] == HEAD and panels[tail, panel] == TAIL:
                start, end = int(chart.ticks[head]), int(chart.ticks[tail])
                colour = ROLL if (start, panel) in rolls else HOLD
                _body(draw, place, start, end, panel, colour)


def _body(
    draw: ImageDraw.ImageDraw,
    place: _Place,
    start: int,
    end: int,
    panel: int,
    colour: tuple[int, int, int],
) -> None:
    """A hold's bar, cut where a column ends."""
    layout = place.layout
    half = 0.3 * layout.arrow
    edge = tuple(min(255, c + 60) for c in colour)
    span = 4 * TICKS
    for measure in range(max(start // span, place.first), min(end // span, place.last) + 1):
        begin, stop = max(start, measure * span), min(end, (measure + 1) * span)
        x, top = place.at(begin, panel)
        bottom = top + (stop - begin) * layout.beat / TICKS
        draw.rectangle((x - half, top, x + half, bottom), colour)
        draw.line((x - half, top, x - half, bottom), edge, 2)
        draw.line((x + half, top, x + half, bottom), edge, 2)
        if stop == end:
            draw.pieslice((x - half, bottom - half, x + half, bottom + half), 0, 180, colour, edge)


def _mine(draw: ImageDraw.ImageDraw, x: float, y: float, arrow: int) -> None:
    r = 0.3 * arrow
    draw.ellipse((x - r, y - r, x + r, y + r), (48, 18, 24), MINE, 2)
    draw.ellipse((x - r / 3, y - r / 3, x + r / 3, y + r / 3), MINE)


def _rows(
    canvas: Image.Image, draw: ImageDraw.ImageDraw, place: _Place, chart: Chart, path: FootPath
) -> None:
    kinds, panels = note_type(chart.ticks).tolist(), states(chart.rows)
    size, letters = place.layout.arrow, _font(max(place.layout.arrow * 2 // 5, 8), True)
    for i, tick in enumerate(chart.ticks.tolist()):
        if not place.shows(tick):
            continue
        for panel in np.flatnonzero((panels[i] == TAP) | (panels[i] == HEAD)).tolist():
            x, y = place.at(tick, panel)
            sprite = _arrow(PANELS[panel], COLOURS[kinds[i]], size)
            canvas.paste(sprite, (round(x - size / 2), round(y - size / 2)), sprite)
            foot = "L" if int(path.left[i]) >> panel & 1 else "R"
            draw.text((x, y), foot, FOOT_INK, font=letters, anchor="mm")
        for technique, (_, letter, colour) in MARKS.items():
            if path.techniques[i] & technique:
                x, y = place.at(tick, len(PANELS))
                font = _font(12, True)
                draw.text((x - size / 2 + 4, y), letter, colour, font=font, anchor="mm")
                break


@lru_cache(maxsize=256)
def _arrow(panel: str, colour: tuple[int, int, int], size: int) -> Image.Image:
    """An arrow with transparent surroundings, ``size`` pixels wide."""
    fine = size * _FINE
    image = Image.new("RGBA", (fine, fine), (0, 0, 0, 0))
    shape = ((0.5, 0.02), (0.97, 0.5), (0.74, 0.64), (0.74, 0.95), (0.26, 0.95), (0.26, 0.64))
    points = [(x * fine, y * fine) for x, y in (*shape, (0.03, 0.5))]
    draw = ImageDraw.Draw(image)
    draw.polygon(points, (*colour, 255))
    draw.line([*points, points[0], points[1]], (255, 255, 255, 255), fine // 14, joint="curve")
    turned = image.rotate(_TURNS[panel])
    return turned.resize((size, size), Image.Resampling.LANCZOS)


@lru_cache(maxsize=16)
def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", name), size)
