"""Columns of observations that mean things apart have names, and no more names than columns."""

from functools import cache

import gymnasium as gym
import pytest
from gymnasium import spaces

from envs.registration import ENTRIES

ALIKE = {
    "coverage", "costs", "outlook",  # grids of ranks, layers and cuts
    "audio", "onset", "rows", "deltas",  # sequences
    "text", "instruction", "fields",  # ids of words
}  # fmt: skip
"""Keys whose last axis is a scale, not a list of things."""


@cache
def named(env_id: str) -> tuple[dict[str, list[str]], dict[str, tuple[int, ...]]]:
    env = gym.make(f"envs:{env_id}")
    columns = {key: list(names) for key, names in env.unwrapped.columns().items()}
    assert isinstance(env.observation_space, spaces.Dict)
    shapes = {key: space.shape for key, space in env.observation_space.items()}
    env.close()
    return columns, shapes


@pytest.mark.parametrize("env_id", ENTRIES)
def test_there_are_as_many_names_as_columns(env_id: str) -> None:
    columns, shapes = named(env_id)
    for key, names in columns.items():
        assert len(names) == shapes[key][-1], key
        assert len(set(names)) == len(names), key
        assert all(name.strip() == name != "" for name in names)


@pytest.mark.parametrize("env_id", ENTRIES)
def test_what_has_no_names_is_alike_along_its_last_axis(env_id: str) -> None:
    columns, shapes = named(env_id)
    unnamed = {
        key
        for key, shape in shapes.items()
        if shape[-1] > 1 and not key.endswith("_mask") and key not in columns
    }
    assert unnamed <= ALIKE
