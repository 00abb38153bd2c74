"""Teams: PettingZoo environments, named ``module:attribute``, which only RLlib trains."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import gymnasium as gym

from hardware_sim.errors import InputError


def is_team(env_id: str) -> bool:
    """Whether the id is ``module:attribute`` with an attribute of that name, a PettingZoo maker.

    ``envs:Name-v0`` is no such id, for no attribute has a dash in its name. The working folder is
    put on the path, as for agents that are named so.
    """
    module, colon, attribute = env_id.partition(":")
    if not colon or not attribute.isidentifier():
        return False
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return hasattr(import_module(module), attribute)
    except ImportError:
        return False


def make_team(env_id: str, kwargs: dict[str, Any]) -> Any:
    """A PettingZoo parallel environment from its maker.

    Args:
        env_id: ``module:attribute``; the attribute is called with ``kwargs``.
        kwargs: Arguments of the environment.

    Raises:
        InputError: What the maker returns has not the parallel interface.
    """
    module, _, attribute = env_id.partition(":")
    env = getattr(import_module(module), attribute)(**kwargs)
    if not hasattr(env, "possible_agents") or hasattr(env, "agent_iter"):
        raise InputError(f"{env_id} makes a {type(env).__name__}, not a PettingZoo ParallelEnv")
    return env


def policies(observation_space: gym.Space[Any], action_space: gym.Space[Any]) -> dict[str, str]:
    """Which policy each agent of a team follows: agents with equal spaces share one."""
    assert isinstance(observation_space, gym.spaces.Dict)
    assert isinstance(action_space, gym.spaces.Dict)
    kinds: list[tuple[gym.Space[Any], gym.Space[Any]]] = []
    names = {}
    for agent in sorted(observation_space):
        kind = (observation_space[agent], action_space[agent])
        if kind not in kinds:
            kinds.append(kind)
        names[agent] = f"policy_{kinds.index(kind)}"
    return names
