"""One self-contained HTML page from titles, texts, tables and figures."""

import base64
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from matplotlib.figure import Figure

from experiments.svg import themed_svg
from hardware_sim.files import write_text

NUMBER = r"[-+−]?[\d.,]*\d(?:e[-+]?\d+)?"
QUANTITY = re.compile(rf"{NUMBER}(?: to {NUMBER})?(?: ?(?:%|x|s|ms))?")


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows.

    Attributes:
        columns: Headings.
        rows: Cells, as text, one list a row.
        caption: A description of the table.
        marked: Numbers of the rows to stand out.
        muted: Numbers of the rows to stand back.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    marked: frozenset[int] = frozenset()
    muted: frozenset[int] = frozenset()

    @property
    def alignment(self) -> list[str]:
        """``"text"`` or ``"number"`` for each column, by what its cells hold."""
        numeric = [
            i > 0 and all(QUANTITY.fullmatch(row[i]) for row in self.rows if row[i])
            for i in range(len(self.columns))
        ]
        return ["number" if column else "text" for column in numeric]


@dataclass(frozen=True)
class Picture:
    """A figure, or the bytes of a PNG file, with a caption that describes it."""

    content: Figure | bytes
    caption: str

    @property
    def uri(self) -> str:
        """The picture as a data URI."""
        if isinstance(self.content, bytes):
            return f"data:image/png;base64,{base64.b64encode(self.content).decode()}"
        svg = themed_svg(self.content).encode()
        return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"

    @property
    def drawn(self) -> bool:
        """True if it is a figure, which follows the page from light to dark."""
        return not isinstance(self.content, bytes)


@dataclass(frozen=True)
class Section:
    """A part of a page: a title, paragraphs separated by empty lines, a table, pictures."""

    title: str
    text: str = ""
    table: Table | None = None
    figures: tuple[Picture, ...] = ()


def decimals(values: Iterable[float]) -> int:
    """Decimal places that give the smallest of some values four digits; 0 to 8."""
    sizes = [abs(value) for value in values if value]
    return min(8, max(0, 3 - math.floor(math.log10(min(sizes))))) if sizes else 0


def render(title: str, sections: Sequence[Section], path: str | Path) -> Path:
    """Writes the page as one file that needs nothing else, whole or not at all.

    Returns:
        The path.
    """
    source = files("experiments").joinpath("templates", "report.html").read_text()
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(source)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    made = f"Made by gymworks {version('gymworks')} on {now}."
    return write_text(path, template.render(title=title, made=made, sections=sections))
