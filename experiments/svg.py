"""Figures as SVG that follows the reader's choice of a light or dark page."""

import io
import re

from matplotlib import rc_context
from matplotlib.figure import Figure

PAPER, INK = (21, 25, 30), (230, 233, 237)
"""Colours of white and of black on a dark page."""

FONTS = 'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif'

LIGHTER = 0.25
"""Share of the way that colours go towards the ink of a dark page."""

_COLOUR = re.compile(r"(?<=[:\s\"])#([0-9a-f]{6})\b")
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)


def themed_svg(figure: Figure) -> str:
    """The figure as the text of an SVG file that is drawn light or dark, as its reader prefers.

    Greys, white and black among them, are turned around on a dark page, and colours get a little
    lighter. Text stays text, in the reader's own font. The same figure gives the same text.
    """
    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "gymworks"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = _METADATA.sub("", text[text.index("<svg") :])
    colours = sorted({*_COLOUR.findall(text), "000000"})
    text = _COLOUR.sub(r"var(--c\1)", text)
    light = "".join(f"--c{colour}:#{colour};" for colour in colours)
    dark = "".join(f"--c{colour}:#{_dark(colour)};" for colour in colours)
    style = (
        f"<style>:root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
        f"text{{fill:var(--c000000);font-family:{FONTS}!important}}</style>"
    )
    start = text.index(">") + 1
    return text[:start] + style + text[start:]


def _dark(colour: str) -> str:
    """The colour of the dark page for one of the light page; both as six hexadecimal digits."""
    parts = bytes.fromhex(colour)
    if len(set(parts)) == 1:
        mixed = [
            ink + (paper - ink) * parts[0] / 255 for paper, ink in zip(PAPER, INK, strict=True)
        ]
    else:
        mixed = [part + (ink - part) * LIGHTER for part, ink in zip(parts, INK, strict=True)]
    return bytes(round(part) for part in mixed).hex()
