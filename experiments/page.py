"""One self-contained HTML page from titles, texts, tables and figures."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from matplotlib.figure import Figure

from hardware_sim.files import write_text


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows.

    Attributes:
        columns: Headings.
        rows: Cells, as text, one list a row.
        caption: What the table says.
        marked: Numbers of the rows to stand out.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    marked: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Picture:
    """A figure, or the bytes of a PNG file, with a caption that says what it shows."""

    content: Figure | bytes
    caption: str

    @property
    def uri(self) -> str:
        """The picture as a data URI."""
        if isinstance(self.content, bytes):
            return f"data:image/png;base64,{base64.b64encode(self.content).decode()}"
        buffer = io.BytesIO()
        self.content.savefig(buffer, format="png", dpi=160)
        return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


@dataclass(frozen=True)
class Section:
    """A part of a page: a title, paragraphs separated by empty lines, a table, pictures."""

    title: str
    text: str = ""
    table: Table | None = None
    figures: tuple[Picture, ...] = ()


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
