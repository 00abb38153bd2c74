"""Rate-distortion curves: bits per pixel at a wanted similarity, by interpolation."""

from collections.abc import Sequence

import numpy as np

WANTED = (0.95, 0.97, 0.98, 0.99)
"""Similarities at which codecs are compared."""


def rate_at(similarities: Sequence[float], rates: Sequence[float], wanted: float) -> float | None:
    """Bits per pixel at a similarity, nothing where the curve does not reach it.

    The logarithm of the rate is interpolated over -log10(1 - similarity).

    Args:
        similarities: MS-SSIM of each point of the curve, each below 1.
        rates: Bits per pixel of each.
        wanted: An MS-SSIM.
    """
    places = -np.log10(1 - np.asarray(similarities))
    order = np.argsort(places)
    place = -np.log10(1 - wanted)
    if not places[order[0]] <= place <= places[order[-1]]:
        return None
    return float(np.exp(np.interp(place, places[order], np.log(np.asarray(rates)[order]))))
