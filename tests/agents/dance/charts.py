"""Charts for tests of what writes and judges them."""

import numpy as np

from agents.dance.batches import steps
from agents.dance.sampling import possible
from envs.dance.chart import TAP, held_before, states


def chart(seed, size=40, level=2):
    """A chart with legal rows, much repetition and an uneven rhythm."""
    rng = np.random.default_rng(seed)
    ticks = np.cumsum(rng.choice([12, 24, 48, 96], size))
    rows, held = np.zeros(size, np.uint8), np.zeros((1, 4), bool)
    for i in range(size):
        allowed = np.flatnonzero(possible(held, [i + 1 == size])[0])
        back = rows[i - 8] if i >= 8 else 0
        taps = (states(allowed) <= TAP).all(-1)
        drawn = rng.choice(allowed, p=np.where(taps, 1.0, 0.05) / np.where(taps, 1.0, 0.05).sum())
        rows[i] = back if back in allowed and rng.random() < 0.7 else drawn
        held = held_before(np.append(rows[: i + 1], np.uint8(1)))[-1:]
    return steps(ticks, ticks / 96, level, rows)
