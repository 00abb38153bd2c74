"""Digests of the trajectories of every id, so that two versions of the code can be compared.

::

    python -m experiments.digests                          # a digest for each id and class
    python -m experiments.digests WoB-Login-v0 --episodes 5 --write new.npz
    python -m experiments.digests --compare old.npz new.npz --tolerance 1e-5

Played are the single class and, with several rows, the native vector class. Half of the episodes
take random legal actions, the other half any actions of the space. A digest covers everything that
``reset`` and ``step`` return: observations, rewards, flags and infos, with their keys and types.
``PYTHONPATH=CHECKOUT python -P experiments/digests.py`` plays the code of another checkout.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer
from gymnasium.vector.utils import concatenate, create_empty_array, iterate
from numpy.typing import NDArray

from envs.registration import ENTRIES, find
from envs.testing.subject import LegalActions
from envs.testing.vector import row_info
from hardware_sim.commands import run
from hardware_sim.errors import InputError

ROWS = 3
"""Rows of the vector class."""

SEED = 0

Columns = dict[str, NDArray[Any]]
"""Values by path; beside ``PATH``, ``PATH @`` holds the moments at which they were seen."""


class Trajectory:
    """Everything that an environment returns, a moment after the other."""

    def __init__(self) -> None:
        self.moments = -1
        self._seen: dict[str, tuple[list[int], list[Any]]] = {}

    def begin_moment(self) -> None:
        """Starts the next reset or step."""
        self.moments += 1

    def note(self, path: str, value: Any) -> None:
        """Takes down a value of the present moment."""
        for leaf, found in leaves(value, path):
            moments, values = self._seen.setdefault(leaf, ([], []))
            moments.append(self.moments)
            values.append(found)

    def columns(self) -> Columns:
        """All of it as arrays, by path."""
        found: Columns = {}
        for path, (moments, values) in self._seen.items():
            found[path], found[f"{path} @"] = np.array(values), np.array(moments, np.int32)
        return found


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The numbers, texts and arrays inside a value; paths name their types and shapes."""
    if isinstance(value, Mapping):
        yield f"{path} keys", "\n".join(map(str, value))
        for key, part in value.items():
            yield from leaves(part, f"{path}/{key}")
    elif isinstance(value, np.ndarray) and value.dtype != object:
        yield f"{path} {value.dtype}{list(value.shape)}", value.copy()
    elif isinstance(value, bool | int | float | np.generic):
        yield f"{path} {type(value).__name__}", value
    else:
        yield f"{path} {type(value).__name__}", repr(value)


class Player:
    """Chooses actions: legal ones in even episodes, any in odd ones."""

    def __init__(self, space: gym.Space[Any], seed: int) -> None:
        self._actions = LegalActions(space, seed)
        self.episodes = 0

    def choose(self, mask: NDArray[Any] | None) -> Any:
        """An action; the mask is flat, None where every action is legal."""
        if mask is None or self.episodes % 2:
            return self._actions()
        return self._actions(np.asarray(mask, np.bool_).ravel())


def single(env: gym.Env[Any, Any], episodes: int) -> Columns:
    """Plays the single class; only the first reset is seeded."""
    seen, player = Trajectory(), Player(env.action_space, SEED)
    while player.episodes < episodes:
        observation, info = env.reset(seed=None if player.episodes else SEED)
        seen.begin_moment()
        seen.note("observation", observation)
        seen.note("info", info)
        ended = False
        while not ended:
            action = player.choose(observation.get("action_mask"))
            observation, reward, terminated, truncated, info = env.step(action)
            seen.begin_moment()
            for path, value in (("action", action), ("observation", observation), ("info", info)):
                seen.note(path, value)
            seen.note("step", {"reward": reward, "end": terminated, "limit": truncated})
            if env.has_wrapper_attr("action_masks"):
                seen.note("masks", env.get_wrapper_attr("action_masks")())
            ended = terminated or truncated
        player.episodes += 1
    return seen.columns()


def together(envs: "gym.vector.VectorEnv[Any, Any, Any]", episodes: int) -> Columns:
    """Plays the native vector class until every row has ended often enough.

    Of infos, whose keys may come in any order, each row's own share is taken down.
    """
    seen, space = Trajectory(), envs.single_action_space
    players = [Player(space, SEED + i) for i in range(envs.num_envs)]
    observations, infos = envs.reset(seed=SEED)
    ended = np.zeros(envs.num_envs, np.bool_)
    _note_rows(seen, envs, observations, infos)
    while min(player.episodes for player in players) < episodes:
        masks = observations.get("action_mask", [None] * envs.num_envs)
        chosen = [
            player.choose(None if over else mask)
            for player, mask, over in zip(players, masks, ended, strict=True)
        ]
        actions = concatenate(space, chosen, create_empty_array(space, len(chosen)))
        observations, rewards, terminated, truncated, infos = envs.step(actions)
        _note_rows(seen, envs, observations, infos)
        seen.note("step", {"reward": rewards, "end": terminated, "limit": truncated})
        ended = terminated | truncated
        for player, over in zip(players, ended, strict=True):
            player.episodes += int(over)
    return seen.columns()


def _note_rows(
    seen: Trajectory,
    envs: "gym.vector.VectorEnv[Any, Any, Any]",
    observations: Any,
    infos: dict[str, Any],
) -> None:
    seen.begin_moment()
    for i, observation in enumerate(iterate(envs.observation_space, observations)):
        own = row_info(infos, i)
        seen.note(f"{i}/observation", observation)
        seen.note(f"{i}/info", {key: own[key] for key in sorted(own)})
    if hasattr(envs, "action_masks"):
        seen.note("masks", envs.action_masks())


def play(env_id: str, episodes: int, browser: bool) -> Iterator[tuple[str, Columns]]:
    """Plays the classes of an id: ``"single"``, and ``"vector"`` where there is one."""
    entry = find(env_id)
    twin = "browser" in entry.backend and not browser
    chosen: dict[str, Any] = {"backend": "twin"} if twin else {}
    env = gym.make(f"envs:{entry.id}", **chosen)
    yield "single", single(env, episodes)
    env.close()
    if entry.vector_entry_point is not None:
        envs = gym.make_vec(f"envs:{entry.id}", num_envs=ROWS)
        yield "vector", together(envs, episodes)
        envs.close()


def digest(columns: Columns) -> str:
    """SHA-256 of a trajectory, in hexadecimal; -0.0 counts as 0.0."""
    found = hashlib.sha256()
    for path, values in columns.items():
        exact = values + values.dtype.type(0) if values.dtype.kind == "f" else values
        found.update(f"{path} {values.dtype} {values.shape}".encode())
        found.update(np.ascontiguousarray(exact).tobytes())
    return found.hexdigest()


def differences(left: Mapping[str, Any], right: Mapping[str, Any], tolerance: float) -> list[str]:
    """The differences between two sets of columns, a line each.

    Args:
        left: Columns by path.
        right: The same.
        tolerance: By how much floats may differ.
    """
    found = [f"{path}: only in the first" for path in left if path not in right]
    found += [f"{path}: only in the second" for path in right if path not in left]
    for path in left:
        if path not in right:
            continue
        one, other = left[path], right[path]
        if one.shape != other.shape:
            found.append(f"{path}: {one.shape} against {other.shape}")
        elif one.dtype.kind == "f":
            if not np.allclose(one, other, rtol=0, atol=tolerance, equal_nan=True):
                found.append(f"{path}: differ by up to {np.nanmax(np.abs(one - other)):.3g}")
        elif not np.array_equal(one, other):
            found.append(f"{path}: {np.count_nonzero(one != other)} values differ")
    return found


def main(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids; all if none is named.")] = None,
    episodes: Annotated[int, typer.Option(min=1, help="Of each row.")] = 2,
    browser: Annotated[bool, typer.Option(help="Single web environments in Chromium.")] = False,
    write: Annotated[Path | None, typer.Option(help="File (.npz) for the trajectories.")] = None,
    compare: Annotated[
        tuple[Path, Path] | None, typer.Option(help="Two such files; nothing is played.")
    ] = None,
    tolerance: Annotated[float, typer.Option(min=0, help="By how much floats may differ.")] = 0.0,
) -> None:
    """Plays environments and prints digests, or compares what was written."""
    if compare is not None:
        left, right = (dict(_read(path)) for path in compare)
        found = differences(left, right, tolerance)
        for line in found:
            typer.echo(line)
        typer.echo(f"{len(left)} columns, {len(found)} differences beyond {tolerance:g}")
        raise typer.Exit(1 if found else 0)
    kept: Columns = {}
    for env_id in ids or ENTRIES:
        for form, columns in play(env_id, episodes, browser):
            typer.echo(f"{digest(columns)[:16]} {form} {find(env_id).id}")
            if write is not None:
                head = f"{find(env_id).id} {form} "
                kept |= {head + path: values for path, values in columns.items()}
    if write is not None:
        with write.open("wb") as file:
            np.savez_compressed(file, **kept)  # type: ignore[arg-type]  # keys are any text


def _read(path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            yield from file.items()
    except (OSError, ValueError) as error:
        raise InputError(f"{path} holds no trajectories: {error}") from error


if __name__ == "__main__":
    run(main)
