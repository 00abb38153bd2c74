"""Data sets of transitions that other programs read: parquet files and Minari folders.

Parquet files have the columns that RLlib's BC and MARWIL read, see
:mod:`agents.engines.rllib_offline`: a row is a transition, an observation a struct of flat lists.
Minari data sets are folders, see https://minari.farama.org.
"""

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.web.demonstration import Demonstration
from envs.web.transitions import Transitions
from hardware_sim.errors import InputError
from hardware_sim.files import write_atomic, writing

Episodes = Iterator[tuple[Demonstration, Transitions]]


def write_parquet(path: Path, episodes: Episodes) -> Path:
    """Writes a row a transition, with the columns of RLlib's BC and MARWIL.

    Raises:
        InputError: There is no episode, pyarrow is missing, or the folder cannot be written.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise InputError("parquet needs pyarrow: pip install 'gymworks[rllib]'") from error
    first = _first(episodes)

    def write(file: BinaryIO) -> None:
        table = _table(first[1])
        with pyarrow.parquet.ParquetWriter(file, table.schema, compression="zstd") as writer:
            writer.write_table(table)
            for _, steps in episodes:
                writer.write_table(_table(steps))

    return write_atomic(path, write)


def _first(
    episodes: Episodes,
) -> tuple[Demonstration, Transitions]:
    for episode in episodes:
        return episode
    raise InputError("there is nothing to export: no demonstration is left")


def _table(steps: Transitions) -> Any:
    from pyarrow import lib

    count = len(steps.actions)
    ended = np.zeros(count, np.bool_)
    ended[-1] = True
    columns = {
        "obs": _struct({key: part[:-1] for key, part in steps.observations.items()}),
        "actions": lib.array(steps.actions),
        "rewards": lib.array(steps.rewards),
        "new_obs": _struct({key: part[1:] for key, part in steps.observations.items()}),
        "terminateds": lib.array(ended & steps.terminated),
        "truncateds": lib.array(ended & (not steps.terminated)),
    }
    return lib.Table.from_pydict(columns)


def _struct(observations: dict[str, NDArray[Any]]) -> Any:
    """Observations as a struct of lists, one a row; matrices are flat."""
    from pyarrow import lib

    lists = []
    for part in observations.values():
        flat = np.ascontiguousarray(part).reshape(len(part), -1)
        offsets = np.arange(len(part) + 1, dtype=np.int32) * flat.shape[1]
        lists.append(lib.ListArray.from_arrays(offsets, lib.array(flat.ravel())))
    return lib.StructArray.from_arrays(lists, list(observations))


def write_minari(path: Path, episodes: Episodes) -> Path:
    """Writes a Minari data set whose id is the folder's name.

    ``minari.load_dataset`` finds it if ``MINARI_DATASETS_PATH`` is the folder it stands in.

    Raises:
        InputError: There is no episode, episodes are of several environments, Minari is missing,
            it refuses the name, or the folder cannot be written.
    """
    try:
        import minari
    except ImportError as error:
        raise InputError("Minari is not installed: pip install 'gymworks[minari]'") from error
    env_id = ""
    buffers: list[Any] = []
    people: set[str] = set()
    for each, steps in episodes:
        if env_id not in ("", each.env_id):
            raise InputError(f"a Minari data set has one environment, not {env_id}, {each.env_id}")
        env_id = each.env_id
        people.add(each.by or each.source)
        buffers.append(_buffer(len(buffers), each, steps))
    if not buffers:
        raise InputError("there is nothing to export: no demonstration is left")
    env = gym.make(f"envs:{env_id}", backend="twin")
    with _staged(path) as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what of its metadata was not given
        try:
            minari.create_dataset_from_buffers(
                name,
                buffers,
                env=env,
                author=people,
                description=f"Demonstrations on {env_id}",
                requirements=["gymworks"],
                data_format="arrow",
            )
        except ValueError as error:
            raise InputError(f"Minari refuses {name!r}: {error}") from error
    env.close()
    return path


def _buffer(number: int, demonstration: Demonstration, steps: Transitions) -> Any:
    from minari.data_collector import EpisodeBuffer

    count = len(steps.actions)
    ended = np.zeros(count, np.bool_)
    ended[-1] = True
    return EpisodeBuffer(
        id=number,
        seed=demonstration.seed,
        options=demonstration.options,
        observations=steps.observations,
        actions=steps.actions.tolist(),
        rewards=steps.rewards.tolist(),
        terminations=(ended & steps.terminated).tolist(),
        truncations=(ended & (not steps.terminated)).tolist(),
        infos={},
    )


@contextmanager
def _staged(path: Path) -> Iterator[str]:
    """A folder beside the path, for Minari to write to; a whole data set is moved to the path."""
    path = path.absolute()  # Minari takes a relative folder for one of its own
    name, before = path.name, os.environ.get("MINARI_DATASETS_PATH")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stage = tempfile.mkdtemp(dir=path.parent, prefix=f".{name}.")
    os.environ["MINARI_DATASETS_PATH"] = stage
    try:
        yield name
        with writing(path):
            if path.exists():
                os.replace(path, Path(stage, f"{name}.before"))
            os.replace(Path(stage, name), path)
    finally:
        os.environ.pop("MINARI_DATASETS_PATH")
        if before is not None:
            os.environ["MINARI_DATASETS_PATH"] = before
        shutil.rmtree(stage, ignore_errors=True)
