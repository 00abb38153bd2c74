"""Demonstrations: parquet rows (obs, actions, ...) for RLlib's BC and MARWIL.

One row is one transition, with RLlib's column names: ``obs`` and ``actions`` always, ``rewards``,
``new_obs``, ``terminateds``, ``truncateds`` for MARWIL. An observation that is an array is a list
of numbers; one that is a Dict is a struct of such lists, nested ones for matrices.
"""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pyarrow.parquet
from numpy.typing import NDArray
from ray.rllib.offline.offline_prelearner import OfflinePreLearner

from hardware_sim.errors import InputError

GROUP_VALUES = 1 << 26
"""Most values of a row group, which is read as a whole."""

VALUES = 1 << 31
"""Most values of a file."""

COLUMNS = {
    "bc": ("obs", "actions"),
    "marwil": ("obs", "actions", "rewards", "new_obs", "terminateds", "truncateds"),
}


def demonstrations(algo: str, given: str | Path | None) -> list[str]:
    """The parquet files of a run's ``input``, checked.

    Args:
        algo: ``"bc"`` or ``"marwil"``.
        given: A parquet file, or a folder of them.

    Raises:
        InputError: Nothing was given, nothing is there, a file is no parquet, lacks a column or
            has one of an extension type, or declares more values than are allowed.
    """
    if given is None:
        raise InputError(
            f'{algo} learns from demonstrations: give hyperparameters {{"input": "FOLDER"}} with '
            f"parquet files of the columns {', '.join(COLUMNS[algo])}"
        )
    path = Path(given).resolve()
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise InputError(f"no parquet file at {path}")
    for file in files:
        try:
            described = pyarrow.parquet.read_metadata(file)
            schema = described.schema.to_arrow_schema()
        except (pyarrow.lib.ArrowException, OSError) as error:
            raise InputError(f"{file} is not a parquet file: {error}") from error
        columns = schema.names
        if strange := [field.name for field in schema if _is_extended(field)]:
            raise InputError(
                f"{file} has columns of another library's types, {', '.join(strange)}; allowed: "
                "numbers, lists and structs"
            )
        missing = [name for name in COLUMNS[algo] if name not in columns]
        if missing:
            raise InputError(f"{file} lacks the columns {', '.join(missing)}, which {algo} reads")
        _check_size(file, described)
    return [str(file) for file in files]


def _check_size(file: Path, described: Any) -> None:
    """Raises if what a file declares in its last bytes is more than is allowed.

    The size of packed values is no measure: repeated ones take no room.
    """
    chunks = [
        [group.column(index) for index in range(group.num_columns)]
        for group in map(described.row_group, range(described.num_row_groups))
    ]
    texts = {c.path_in_schema for group in chunks for c in group if "BYTE_ARRAY" in c.physical_type}
    if texts:
        raise InputError(
            f"{file} has columns of texts or bytes, {', '.join(sorted(texts))}; allowed: numbers, "
            "lists and structs"
        )
    counts = [sum(chunk.num_values for chunk in group) for group in chunks]
    if max(counts, default=0) > GROUP_VALUES:
        raise InputError(
            f"{file} has a row group of {max(counts):,} values; allowed: {GROUP_VALUES:,}, in "
            "several groups more"
        )
    if sum(counts) > VALUES:
        raise InputError(f"{file} has {sum(counts):,} values; allowed: {VALUES:,} a file")


def _is_extended(field: Any) -> bool:
    """True if a column's type is an extension, of which Ray unpickles some."""
    kind = field.type
    named = b"ARROW:extension:name" in (field.metadata or {})
    if named or isinstance(kind, pyarrow.lib.BaseExtensionType):
        return True
    return any(_is_extended(kind.field(index)) for index in range(kind.num_fields))


def restore(space: gym.Space[Any], value: Any) -> Any:
    """An observation as the space has it, from what parquet made of it.

    Args:
        space: A Dict, or a space of arrays.
        value: Nested lists or arrays; for a Dict a mapping of such.
    """
    if isinstance(space, gym.spaces.Dict):
        return {name: restore(part, value[name]) for name, part in space.items()}
    return np.asarray(_flat(value), dtype=space.dtype).reshape(space.shape or ())


def _flat(value: Any) -> Any:
    """Plain lists where arrow left arrays of arrays, which numpy cannot make a matrix of."""
    if isinstance(value, np.ndarray) and value.dtype == object:
        return [_flat(item) for item in value]
    return value


class DictPreLearner(OfflinePreLearner):
    """RLlib's reader of rows, with observations put back into the shape of their space."""

    def _map_to_episodes(
        self, batch: dict[str, NDArray[Any]], to_numpy: bool = False, **kwargs: Any
    ) -> dict[str, Any]:
        space = self.observation_space
        columns: dict[str, Any] = dict(batch)
        count = len(columns["obs"])
        columns["obs"] = [restore(space, value) for value in batch["obs"]]
        columns["new_obs"] = (
            [restore(space, value) for value in batch["new_obs"]]
            if "new_obs" in batch
            else columns["obs"]
        )
        columns.setdefault("rewards", np.zeros(count, dtype=np.float32))
        columns.setdefault("terminateds", np.zeros(count, dtype=bool))
        columns.setdefault("truncateds", np.zeros(count, dtype=bool))
        episodes: dict[str, Any] = super()._map_to_episodes(columns, to_numpy, **kwargs)
        return episodes
