"""Chooses how many channels compact maps keep, by the shipped table of times and losses.

The table is that of ``CompactFeature-v0``: measured times of every layer for every pair of choices,
and a surrogate of the points lost, fitted to validation accuracies. All designs are compared; the
test pictures have no part in it.
"""

import numpy as np

from envs.compact.table import ReplayTable, load_table
from hardware_sim.errors import InputError

Kept = tuple[int, ...]


def chosen(speed_up: float, batch: int, whole: bool, table: ReplayTable | None = None) -> Kept:
    """The design with the least predicted loss among those that are fast enough.

    Args:
        speed_up: Required of the compressed layers, those that make or read a compact map.
        batch: Pictures at once, one of the table's.
        whole: Every map must be compact, so that all layers count.
        table: Instead of the shipped one.

    Returns:
        Channels of each map.

    Raises:
        InputError: No design is that fast.
    """
    table = table or load_table()
    layers, choices = table.kept.shape
    seconds = np.array(table.record["seconds"][str(batch)]["layers"])
    grid = np.indices((choices,) * layers).reshape(layers, -1).T
    before = np.column_stack([np.zeros(len(grid), np.int64), grid[:, :-1]])
    times = seconds[np.arange(layers), before, grid]
    touched = (grid > 0) | (before > 0)
    full = np.where(touched, seconds[:, 0, 0], 0.0).sum(axis=1)
    ratio = full / np.maximum(np.where(touched, times, 0.0).sum(axis=1), 1e-12)
    fits = ratio >= speed_up
    if whole:
        fits &= (grid > 0).all(axis=1)
    if not fits.any():
        raise InputError(f"no design is {speed_up:g} times as fast; allowed: less")
    lost = np.where(fits, table.lost.reshape(-1), np.inf)
    best = grid[int(lost.argmin())]
    return tuple(table.kept[np.arange(layers), best].tolist())
