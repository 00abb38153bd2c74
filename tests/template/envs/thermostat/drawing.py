"""A room as a picture and as text."""

import numpy as np
from envs.thermostat.core import RoomBatch
from numpy.typing import NDArray

SIZE = 64


def picture(core: RoomBatch, row: int) -> NDArray[np.uint8]:
    """Bars of the temperatures inside and of the target, uint8 ``(64, 64, 3)``."""
    image = np.full((SIZE, SIZE, 3), 255, np.uint8)
    bars = ((core.room_c[row], (200, 60, 40)), (core.target_c, (60, 120, 200)))
    for place, (degrees, colour) in enumerate(bars):
        height = int(np.clip(degrees + 10.0, 1.0, 50.0) / 50.0 * SIZE)
        image[SIZE - height :, 8 + 28 * place : 28 + 28 * place] = colour
    return image


def text(core: RoomBatch, row: int) -> str:
    """One line with the hour and the temperatures."""
    return (
        f"hour {core.hour[row]}: {core.room_c[row]:.1f} C inside, "
        f"{core.weather_c[row]:.1f} C outside, {core.target_c:.1f} C wanted"
    )
