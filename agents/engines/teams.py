"""Teams: PettingZoo environments, named ``module:attribute``, which only RLlib trains."""

from typing import Any

import gymnasium as gym

from hardware_sim.errors import InputError
from hardware_sim.naming import resolve


def is_team(env_id: str) -> bool:
    """True if the id is ``module:attribute`` with an attribute of that name, a PettingZoo maker.

    ``envs:Name-v0`` is no such id, for no attribute has a dash in its name. The working folder is
    put on the path, as for agents that are named so.
    """
    try:
        resolve(env_id, "team", working_folder=True)
    except InputError:
        return False
    return True


def make_team(env_id: str, kwargs: dict[str, Any]) -> Any:
    """A PettingZoo parallel environment from its maker.

    Args:
        env_id: ``module:attribute``; the attribute is called with ``kwargs``.
        kwargs: Arguments of the environment.

    Raises:
        InputError: There is no such maker, or what it returns has not the parallel interface.
    """
    env = resolve(env_id, "team", working_folder=True)(**kwargs)
    if not hasattr(env, "possible_agents") or hasattr(env, "agent_iter"):
        raise InputError(f"{env_id} makes a {type(env).__name__}, not a PettingZoo ParallelEnv")
    return env


def policies(observation_space: gym.Space[Any], action_space: gym.Space[Any]) -> dict[str, str]:
    """The policy of each agent of a team, by name: agents with equal spaces share one."""
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
