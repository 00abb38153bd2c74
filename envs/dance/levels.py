"""The legal rows, and those that the five levels of difficulty allow."""

import numpy as np

from envs.dance.chart import legal_rows, states

PANEL_COUNT = 4

MOST_PANELS = np.array([1, 2, 2, 2, 4])
"""Panels that one row may begin to press, by level."""

MOST_HELD = 2
"""Panels that may be held at once: a foot each."""

SHORTEST_GAP_S = np.array([0.4, 0.2, 0.1, 0.075, 0.05])
"""Seconds between two presses that hardly any human chart goes below, by level.

Of the corpus ``itg``, as ``python -m experiments.dance.habits`` prints.
"""

TYPICAL_DENSITY = (0.63, 1.55, 2.34, 3.36, 4.93)
"""Rows a second that press something, medians of the same charts, by level."""

_STATES = states(np.arange(256, dtype=np.uint8))
_HELD = (np.arange(16)[:, None] >> np.arange(PANEL_COUNT)) & 1 == 1

PRESSES = np.isin(_STATES, (1, 2)).sum(axis=1)
"""Panels that each row begins to press, taps and heads, int64 ``(256,)``."""

HELD_AFTER = (_HELD[:, None, :] & (_STATES != 3)) | (_STATES == 2)
"""Panels held after a row, by panels held before (a bit each), bool ``(16, 256, 4)``."""

LEGAL = legal_rows(_HELD) & (HELD_AFTER.sum(axis=2) <= MOST_HELD)
"""Rows that may follow, by panels held before, bool ``(16, 256)``; row 0 is nothing."""

CLOSING = LEGAL & ~HELD_AFTER.any(axis=2)
"""Rows that leave nothing held, bool ``(16, 256)``."""

WITHIN_LEVEL = PRESSES[None, :] <= MOST_PANELS[:, None]
"""Rows that press no more panels than a level allows, bool ``(5, 256)``."""
