"""Pictures for people: the screen with the pointer, under the instruction."""

import textwrap

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

ARROW = ((0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12))
"""Outline of the pointer in pixels, its tip at the origin."""

CHARACTER, LINE, MARGIN = 6.3, 16, 6
BAND = 4 * LINE + 2 * MARGIN
"""Height of the band that holds the instruction."""


def picture(
    screen: NDArray[np.uint8], pointer: tuple[int, int] | None, instruction: str
) -> NDArray[np.uint8]:
    """A frame of a film.

    Args:
        screen: ``(height, width, 3)``.
        pointer: Where the pointer's tip is, or ``None`` if it has not moved yet.
        instruction: Shown above the screen; empty for none.

    Returns:
        ``(height, width, 3)``, with an instruction ``BAND`` rows higher than the screen.
    """
    image = Image.fromarray(screen)
    if pointer is not None:
        x, y = pointer
        outline = [(x + across, y + down) for across, down in ARROW]
        ImageDraw.Draw(image).polygon(outline, fill="black", outline="white")
    if instruction:
        image = _captioned(image, instruction)
    return np.asarray(image, np.uint8)


def _captioned(image: Image.Image, instruction: str) -> Image.Image:
    whole = Image.new("RGB", (image.width, image.height + BAND), "#fff3a8")
    whole.paste(image, (0, BAND))
    width = int((image.width - 2 * MARGIN) / CHARACTER)
    lines = textwrap.wrap(instruction, width, max_lines=4, placeholder=" ...")
    ImageDraw.Draw(whole).multiline_text(
        (MARGIN, MARGIN), "\n".join(lines), "black", ImageFont.load_default(12), spacing=2
    )
    return whole
