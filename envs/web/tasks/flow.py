"""Layout of the small tasks' pages: widths from the top down, heights from the bottom up.

Blocks stack from top to bottom, the children of a ``row`` stand side by side and those of a
``stack`` all in the same place. Only the number of lines that texts take depends on words, so that
what was laid out once serves every page with as many lines.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from envs.web.document import Box

LINE = 15
CHARACTER = 6
"""Height of a line and width of an average character in CSS pixels."""

GAP = 3


@dataclass(frozen=True, eq=False)
class Style:
    """The room that an element takes, in pixels; ``None`` where its author leaves it open.

    Attributes:
        arrangement: Arrangement of its children, ``"block"``, ``"row"`` or ``"stack"``; empty for
            elements that hold none.
        own_width: Its width, if it does not take the room that it gets.
        own_height: Its height, if that is neither its children's nor its text's.
        left: Its distance from its parent's left edge; with ``left`` or ``top`` it takes no room.
        top: Its distance from its parent's top edge.
        gap: Room between children.
        padding: Room around children.
    """

    arrangement: str = ""
    own_width: int | None = None
    own_height: int | None = None
    left: int | None = None
    top: int | None = None
    gap: int = GAP
    padding: int = 0

    @property
    def wraps(self) -> bool:
        """True if it is as high as the lines of its text."""
        return not self.arrangement and self.own_height is None


class Outline:
    """The elements of a page in document order, without their words.

    Args:
        styles: The room that each takes.
        parents: Index of each one's parent, or -1.
        room: Where they stand; its height is open.

    Attributes:
        widths: The width of each element.
        wrapping: Indices of the elements whose text breaks into lines.
    """

    def __init__(self, styles: tuple[Style, ...], parents: tuple[int, ...], room: Box) -> None:
        self.styles, self.room = styles, room
        self.children: dict[int, list[int]] = {}
        for index, parent in enumerate(parents):
            self.children.setdefault(parent, []).append(index)
        self.widths = [0] * len(styles)
        self._spread(-1, "block", room.width, GAP)
        self.wrapping = [index for index, style in enumerate(styles) if style.wraps]

    def lines(self, texts: Sequence[str]) -> tuple[int, ...]:
        """The number of lines that the text of each wrapping element takes."""
        return tuple(
            [
                max(1, -(-len(text) * CHARACTER // max(1, self.widths[index])))
                for index, text in zip(self.wrapping, texts, strict=True)
            ]
        )

    @lru_cache(maxsize=1 << 12)  # noqa: B019
    def boxes(self, lines: tuple[int, ...]) -> tuple[Box, ...]:
        """The box of each element, relative to its parent's, for so many lines."""
        flow = _Flow(self, dict(zip(self.wrapping, lines, strict=True)))
        flow.arrange(-1, "block", self.room.left, self.room.top, GAP)
        return tuple(flow.boxes)

    def _spread(self, parent: int, arrangement: str, room: int, gap: int) -> None:
        """Finds the widths of an element's children and of all that they hold."""
        children = self.children.get(parent, [])
        if arrangement == "row":
            taken = [self._taken(index) for index in children]
            fixed = sum(width for width in taken if width is not None)
            used = fixed + gap * sum(width != 0 for width in taken) - gap
            room = (room - used) // max(1, taken.count(None))
        for index in children:
            style = self.styles[index]
            absolute = arrangement == "row" and style.left is not None
            width = 0 if absolute else room
            self.widths[index] = width if style.own_width is None else style.own_width
            inner = self.widths[index] - 2 * style.padding
            self._spread(index, style.arrangement, inner, style.gap)

    def _taken(self, index: int) -> int | None:
        """The width that an element in a row asks for, or ``None`` for a share."""
        style = self.styles[index]
        return style.own_width if style.left is None else 0


@lru_cache(maxsize=1 << 12)
def outline(styles: tuple[Style, ...], parents: tuple[int, ...], room: Box) -> Outline:
    """The outline of a page; the same object for the same elements."""
    return Outline(styles, parents, room)


class _Flow:
    """The boxes of one page in the making."""

    def __init__(self, outline: Outline, lines: dict[int, int]) -> None:
        self.outline, self.lines = outline, lines
        self.boxes = [Box(0, 0, 0, 0)] * len(outline.styles)

    def arrange(self, parent: int, arrangement: str, left: int, top: int, gap: int) -> int:
        """Puts an element's children where they belong; returns the height they take."""
        start, highest = top, 0
        for index in self.outline.children.get(parent, ()):
            height = self._place(index, left, top)
            highest = max(highest, height)
            if arrangement == "row":
                absolute = self.outline.styles[index].left is not None
                width = 0 if absolute else self.outline.widths[index]
                left += width + gap if width else 0
            elif arrangement == "block":
                top += height + gap if height else 0
        return max(0, top - start - gap) if arrangement == "block" else highest

    def _place(self, index: int, left: int, top: int) -> int:
        """Puts an element at the top left of its room; returns the height it takes there."""
        style = self.outline.styles[index]
        height = LINE * self.lines.get(index, 0)
        if style.arrangement:
            inset = style.padding
            height = self.arrange(index, style.arrangement, inset, inset, style.gap) + 2 * inset
        if style.own_height is not None:
            height = style.own_height
        placed = style.left is not None or style.top is not None
        corner = (style.left or 0, style.top or 0) if placed else (left, top)
        self.boxes[index] = Box(*corner, self.outline.widths[index], height)
        return 0 if placed else height
