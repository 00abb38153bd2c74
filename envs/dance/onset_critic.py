"""The critic that rewards onsets in the dance environments: the shipped onset model."""

import numpy as np
from numpy.typing import NDArray

from envs.dance.audio import FRAME_S
from envs.dance.grid import grid
from envs.dance.onset_network import shipped
from envs.dance.timing import Timing


def chances(
    features: NDArray[np.floating], timing: Timing, ticks: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Probabilities of a step, by level.

    Args:
        features: Log-mel spectra ``(T, 80, 3)``; see :func:`envs.dance.audio.log_mel`.
        timing: The song's beats.
        ticks: int64 ``(S,)``, 48 a beat, on sixteenth notes.

    Returns:
        float32 ``(5, S)``.

    Raises:
        InputError: Fewer than two beats sound.
    """
    slots = grid(timing, len(features) * FRAME_S)
    found = shipped().predict(features, slots)[:, slots.nearest(ticks)]
    return found.astype(np.float32)
