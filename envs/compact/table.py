"""The replay table: measurements made once, as arrays over every choice."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.compact.surrogate import predict

Values = NDArray[np.float64]


@dataclass(frozen=True)
class ReplayTable:
    """Times, parameters and accuracy of a network for each way to keep channels.

    ``L`` layers with ``C`` choices each; the first choice keeps everything.

    Attributes:
        widths: Channels of the original maps, ``(L,)``.
        kept: Channels that each choice keeps, int64 ``(L, C)``.
        batches: Batch sizes that were timed.
        seconds: Seconds of a whole network, by batch size, layers one after another; float64
            ``(C,) * L`` each.
        layer_seconds: Seconds of each block of the original, by batch size; ``(L,)``.
        parameters: Number of parameters, float64 ``(C,) * L``.
        lost: Points of validation accuracy lost after a short tuning, ``(C,) * L``.
        record: All measurements, as they stand in the file.
    """

    widths: tuple[int, ...]
    kept: NDArray[np.int64]
    batches: tuple[int, ...]
    seconds: dict[int, Values]
    layer_seconds: dict[int, Values]
    parameters: Values
    lost: Values
    record: dict[str, Any]


@cache
def load_table() -> ReplayTable:
    """The shipped table, written by ``python -m experiments.compact.table``."""
    return build(json.loads(files("envs").joinpath("compact", "replay.json").read_text()))


def build(record: dict[str, Any]) -> ReplayTable:
    """Arrays from a record.

    Args:
        record: ``{"widths": (L,), "kept": (L, C), "seconds": {batch: {"layers": (L, C, C), choice
            of the map that is read, then of the one made; "head": (C,)}}, "accuracy":
            {"coefficients": ...}, ...}``.
    """
    widths = tuple(record["widths"])
    kept = np.array(record["kept"], np.int64)
    layers, choices = kept.shape
    grid = np.indices((choices,) * layers).reshape(layers, -1).T
    shape = (choices,) * layers
    made = kept[np.arange(layers), grid]
    read = np.column_stack([np.full(len(grid), 3), made[:, :-1]])
    weights = (9 * read * made + 2 * made).sum(axis=1) + 10 * made[:, -1] + 10
    before = np.column_stack([np.zeros(len(grid), np.int64), grid[:, :-1]])
    seconds, layer_seconds = {}, {}
    for batch, measured in record["seconds"].items():
        blocks, head = np.array(measured["layers"]), np.array(measured["head"])
        total = blocks[np.arange(layers), before, grid].sum(axis=1) + head[grid[:, -1]]
        seconds[int(batch)] = total.reshape(shape)
        layer_seconds[int(batch)] = blocks[:, 0, 0]
    lost = predict(record["accuracy"]["coefficients"], made / np.array(widths))
    return ReplayTable(
        widths=widths,
        kept=kept,
        batches=tuple(seconds),
        seconds=seconds,
        layer_seconds=layer_seconds,
        parameters=weights.astype(np.float64).reshape(shape),
        lost=lost.reshape(shape),
        record=record,
    )
