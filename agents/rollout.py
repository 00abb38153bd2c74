"""Episodes: an agent acts in an environment, from the reset to the end or the limit."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import gymnasium as gym

from agents.agent import Agent


class Moment(NamedTuple):
    """An episode after its reset or after one of its steps.

    Attributes:
        observation: The environment's observation.
        info: The info that came with it.
        action: The agent's action that led here; ``None`` after the reset.
        reward: The reward of that action; 0 after the reset.
        terminated: The episode has come to its end.
        truncated: A limit has cut the episode.
    """

    observation: Any
    info: dict[str, Any]
    action: Any = None
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False

    @property
    def ended(self) -> bool:
        """Nothing follows."""
        return self.terminated or self.truncated


def rollout(
    env: gym.Env[Any, Any],
    agent: Agent,
    seed: int,
    *,
    agent_seed: int | None = None,
    options: dict[str, Any] | None = None,
) -> Iterator[Moment]:
    """Plays one episode; a caller that stops reading ends it early.

    Args:
        env: The environment, which stays open.
        agent: The agent.
        seed: Seed of the environment's reset.
        agent_seed: Seed of the agent's reset; ``None`` is the same one.
        options: Options of the environment's reset.

    Yields:
        The moment after the reset, then one after each step. The agent acts when the next moment
        is asked for.
    """
    observation, info = env.reset(seed=seed, options=options)
    agent.reset(seed if agent_seed is None else agent_seed)
    moment = Moment(observation, info)
    yield moment
    while not moment.ended:
        action = agent.act(moment.observation, moment.info)
        observation, reward, terminated, truncated, info = env.step(action)
        moment = Moment(observation, info, action, float(reward), bool(terminated), bool(truncated))
        yield moment


def ending(
    env: gym.Env[Any, Any],
    agent: Agent,
    seed: int,
    *,
    agent_seed: int | None = None,
    options: dict[str, Any] | None = None,
) -> Moment:
    """The last moment of an episode, with the arguments of :func:`rollout`."""
    for moment in rollout(env, agent, seed, agent_seed=agent_seed, options=options):
        last = moment
    return last
