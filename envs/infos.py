"""Infos of one row, and of many as Gymnasium's vector environments join them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.bool_]


def only(values: Mapping[str, Sequence[Any] | NDArray[Any]]) -> dict[str, Any]:
    """The only row's values, numbers as Python's."""
    return {
        key: value.item() if isinstance(value, np.ndarray) and value.ndim == 1 else value[0]
        for key, value in values.items()
    }


def columns(values: Mapping[str, Any], rows: Rows) -> dict[str, Any]:
    """Values of all rows, each beside the rows that have it, as Gymnasium joins infos."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found[key], found[f"_{key}"] = value, rows.copy()
    return found


def joined(info: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Infos of different rows as one; a key of both has the rows of either."""
    found = info | more
    for key in info.keys() & more.keys():
        if key.startswith("_"):
            found[key] = info[key] | more[key]
        else:
            found[key], rows = info[key].copy(), more[f"_{key}"]
            found[key][rows] = more[key][rows]
    return found


def named(values: Sequence[Any], rows: Rows) -> NDArray[Any]:
    """A column of objects: one value for each of the given rows, None for the others."""
    found = np.full(len(rows), None, object)
    found[rows] = values
    return found
