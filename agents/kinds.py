"""The three kinds of agent, and what each of them receives.

An *agent* receives spaces, observations and infos. A *planner* receives also the problem of each
episode as data, without its answer; it may simulate, and counts what it simulates. An *oracle*
receives the answer. None of them receives the environment.
"""

from typing import Any, Literal, Protocol, cast

import gymnasium as gym

from agents.agent import Agent
from hardware_sim.errors import InputError, choose

Kind = Literal["agent", "planner", "oracle"]
KINDS: dict[str, str | None] = {"agent": None, "planner": "problem", "oracle": "answer"}
"""For each kind, the environment's method that gives what it receives."""


class Informed(Protocol):
    """A planner or an oracle.

    Attributes:
        kind: Which of the two.
        follows: What it receives changes within an episode, and is given before every action.
        spent: Evaluations in the present episode: candidates whose score it computed.
    """

    kind: Kind
    follows: bool
    spent: int

    def reset(self, seed: int) -> None:
        """Starts an episode."""

    def know(self, given: Any) -> None:
        """Receives the problem or the answer, after the reset and before the first action."""

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """The action for an observation."""


class Planner:
    """Base of planners: the kind, and the count of evaluations."""

    kind: Kind = "planner"
    follows = False
    spent = 0


class Oracle:
    """Base of oracles."""

    kind: Kind = "oracle"
    follows = False
    spent = 0


class Player:
    """A planner or an oracle that acts in an environment, which it never holds.

    Args:
        agent: The planner or oracle.
        env: The environment that is asked for the problem or the answer of each episode.
    """

    def __init__(self, agent: Informed, env: gym.Env[Any, Any]) -> None:
        self.agent, self.kind, self._env = agent, agent.kind, env
        self._due = True

    @property
    def spent(self) -> int:
        """Evaluations in the present episode."""
        return self.agent.spent

    def reset(self, seed: int) -> None:
        """Starts an episode."""
        self.agent.reset(seed)
        self._due = True

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """The action for an observation."""
        if self._due:
            self.agent.know(given(self.kind, self._env))
            self._due = self.agent.follows
        return self.agent.act(observation, info)


def kind_of(agent: Any) -> Kind:
    """The kind that an agent states in its attribute ``kind``; ``"agent"`` if it states none.

    Raises:
        InputError: It states another, or has no ``know`` for what its kind receives.
    """
    kind = choose("kind of agent", getattr(agent, "kind", "agent"), list(KINDS))
    if kind != "agent" and not callable(getattr(agent, "know", None)):
        raise InputError(f"a {kind} has know({KINDS[kind]}); {type(agent).__name__} has not")
    return cast(Kind, kind)


def player(agent: Any, env: gym.Env[Any, Any]) -> Agent:
    """An agent that receives from an environment what its kind does.

    Raises:
        InputError: As :func:`kind_of`.
    """
    plain: Agent = agent
    return plain if kind_of(agent) == "agent" else Player(agent, env)


def given(kind: Kind, env: gym.Env[Any, Any]) -> Any:
    """The problem or the answer of the present episode, for a kind of agent; None for an agent.

    Raises:
        InputError: The environment declares no such thing.
    """
    name = KINDS[kind]
    if name is None:
        return None
    give = getattr(env.unwrapped, name, None)
    if give is None:
        raise InputError(f"{env} declares no {name} for {kind}s")
    return give()
