"""Trajectories as text, so that two of them can be compared to the last bit."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np

from envs.testing.subject import LegalActions, current_mask

Record = dict[str, str]
"""One step: the path of every value, such as ``info['reward']['time']``, and its exact text."""

SMALL = 8  # arrays up to this size are written out, larger ones hashed


def leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every number, string and array inside a value, with its path, exactly.

    NumPy scalars count as the Python numbers they hold, and -0.0 as 0.0.

    Raises:
        AssertionError: Something has no exact text that another process could reproduce.
    """
    if isinstance(value, np.ndarray) and value.dtype == object:
        value = value.tolist()
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    if isinstance(value, Mapping):
        for key in sorted(value, key=str):
            yield from leaves(value[key], f"{path}[{key!r}]")
    elif isinstance(value, list | tuple):
        yield f"len({path})", str(len(value))
        for i, item in enumerate(value):
            yield from leaves(item, f"{path}[{i}]")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from leaves(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, np.ndarray):
        yield path, _array(value)
    elif isinstance(value, set | frozenset):
        yield path, str(sorted(map(repr, value)))
    elif isinstance(value, float):
        yield path, repr(value + 0.0)
    elif value is None or isinstance(value, bool | int | str | bytes | Enum):
        yield path, repr(value)
    else:
        raise AssertionError(
            f"{path} is a {type(value).__name__}; expected numbers, strings, arrays, and dicts, "
            "lists or dataclasses of these"
        )


def _array(value: np.ndarray[Any, Any]) -> str:
    if value.dtype.kind == "f":
        value = value + value.dtype.type(0)
    head = f"{value.dtype}{list(value.shape)}"
    if value.size <= SMALL:
        return f"{head} {value.tolist()}"
    return f"{head} sha256 {hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()[:16]}"


def reset_record(observation: Any, info: Mapping[str, Any]) -> Record:
    """The record of a reset's results."""
    return dict((*leaves(observation, "observation"), *leaves(info, "info")))


def step_record(
    observation: Any,
    reward: SupportsFloat,
    terminated: Any,
    truncated: Any,
    info: Mapping[str, Any],
) -> Record:
    """The record of a step's results."""
    return {
        **reset_record(observation, info),
        "reward": repr(float(reward) + 0.0),
        "terminated": repr(bool(terminated)),
        "truncated": repr(bool(truncated)),
    }


@dataclasses.dataclass(frozen=True)
class Moment:
    """The results of a reset or step, and their record as it was then."""

    observation: Any
    info: dict[str, Any]
    record: Record


def walk(env: gym.Env[Any, Any], seed: int, steps: int) -> Iterator[Moment]:
    """Random legal actions through as many episodes as it takes; only the first reset is seeded.

    Args:
        env: The environment.
        seed: Seeds the first reset and the actions.
        steps: Number of steps, resets not counted.

    Yields:
        One moment a reset or step; each step's record holds its action as well.
    """
    actions = LegalActions(env.action_space, seed)
    observation, info = env.reset(seed=seed)
    yield Moment(observation, info, reset_record(observation, info))
    for _ in range(steps):
        action = actions(current_mask(env, observation))
        observation, reward, terminated, truncated, info = env.step(action)
        record = step_record(observation, reward, terminated, truncated, info)
        yield Moment(observation, info, {**dict(leaves(action, "action")), **record})
        if terminated or truncated:
            observation, info = env.reset()
            yield Moment(observation, info, reset_record(observation, info))


def rollout(env: gym.Env[Any, Any], seed: int, steps: int) -> list[Record]:
    """The records of a :func:`walk`."""
    return [moment.record for moment in walk(env, seed, steps)]


def difference(left: Record, right: Record) -> str | None:
    """The first value that two records do not share, in words."""
    for path in sorted({*left, *right}, key=lambda path: (path not in left, path)):
        if left.get(path) != right.get(path):
            return f"{path} is {left.get(path, 'missing')} against {right.get(path, 'missing')}"
    return None


def first_difference(left: list[Record], right: list[Record]) -> str | None:
    """The first difference between two rollouts, with its place in them."""
    for i, (mine, theirs) in enumerate(zip(left, right, strict=False)):
        found = difference(mine, theirs)
        if found:
            return f"record {i}: {found}"
    if len(left) != len(right):
        return f"{len(left)} records against {len(right)}"
    return None


def digest(records: list[Record]) -> str:
    """SHA-256 of a rollout, in hexadecimal."""
    return hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()
