"""The timeline of one step of a placed graph."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Transfer:
    """One tensor sent from one device to another."""

    op: int
    source: int
    target: int
    channel: int
    bytes: int
    start_s: float
    end_s: float


@dataclass(frozen=True, eq=False)
class Schedule:
    """The timeline of one step: device, start and end of each op, and the transfers.

    Attributes:
        makespan_s: Seconds of one step.
        device: int64 ``(N,)``, where each op ran.
        start_s: float64 ``(N,)``.
        end_s: float64 ``(N,)``.
        transfers: Every transfer, by producer and destination.
        peak_bytes: int64 ``(D,)``.
    """

    makespan_s: float
    device: NDArray[np.int64]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    transfers: tuple[Transfer, ...]
    peak_bytes: NDArray[np.int64]
