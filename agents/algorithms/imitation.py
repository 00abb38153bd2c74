"""Imitation of an expert, for any id whose actions are choices.

Behaviour cloning fits a network to the actions of an expert. The network comes to states in which
the expert never acted; dataset aggregation (Ross, Gordon, Bagnell, AISTATS 2011) therefore lets the
expert act in the first round, now and then disturbed, and the network in the following ones. In
every round the expert's action in each state is kept, and the network is fitted to all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.algorithms.choices import Choices
from hardware_sim.errors import InputError

MASK = "action_mask"

Arrays = dict[str, NDArray[Any]]

Expert = Callable[[int, Arrays], Any]
"""From a row of a vector environment and its observation to an action, or None for none."""

Learner = Callable[[Arrays], NDArray[np.int64]]
"""From a batch of observations to an action each."""

Batch = tuple[Mapping[str, Tensor], Tensor]
"""Observations, with their masks if there are any, and the expert's actions."""

Batches = Callable[[np.random.Generator], Batch]
"""The next batch to fit to, drawn at random."""


class Records(NamedTuple):
    """States with the expert's actions.

    Attributes:
        observations: Packed arrays ``(N, ...)`` by key.
        actions: int64 ``(N,)``, or ``(N, C)`` where an action is several choices.
    """

    observations: Arrays
    actions: NDArray[np.int64]


class Memory:
    """The states of all rounds with the expert's actions.

    Args:
        pack: Makes arrays of a batch of observations smaller; as they are if it is missing.
    """

    def __init__(self, pack: Callable[[Arrays], Arrays] = dict) -> None:
        self.pack = pack
        self._parts: list[Records] = []

    def add(self, observations: Arrays, rows: Sequence[int], actions: Sequence[Any]) -> None:
        """Keeps some rows of a batch of observations with the expert's action in each."""
        chosen = {key: part[list(rows)] for key, part in observations.items()}
        self._parts.append(Records(self.pack(chosen), np.array(actions, np.int64)))

    def joined(self) -> Records:
        """Everything in one set of arrays.

        Raises:
            InputError: Nothing was added.
        """
        if not self._parts:
            raise InputError("the expert had no action in any state; nothing can be imitated")
        observations = {
            key: np.concatenate([part.observations[key] for part in self._parts])
            for key in self._parts[0].observations
        }
        whole = Records(observations, np.concatenate([part.actions for part in self._parts]))
        self._parts = [whole]
        return whole


def collect(
    memory: Memory,
    env: "VectorEnv[Any, Any, Any]",
    expert: Expert,
    steps: int,
    seed: int,
    learner: Learner | None = None,
    disturbance: float = 0.1,
) -> float:
    """Acts in a vector environment and asks the expert in every state of every episode.

    Args:
        memory: Takes the states in which the expert has an action.
        env: With NEXT_STEP autoreset and observations that are dicts; stays open.
        expert: The expert.
        steps: Roughly the number of states.
        seed: Seeds the environment and the disturbances.
        learner: Acts; ``None`` is the expert, with a random legal action where it has none.
        disturbance: Share of the actions that a random legal one replaces.

    Returns:
        The share of successes (``info["is_success"]``) among the episodes that ended; 0 if none
        did.

    Raises:
        InputError: The environment is of another kind, or the expert's action is illegal.
    """
    if env.metadata.get("autoreset_mode") != AutoresetMode.NEXT_STEP:
        raise InputError(f"imitation needs NEXT_STEP autoreset; got {env}")
    if not isinstance(env.single_observation_space, gym.spaces.Dict):
        raise InputError(f"observations are {env.single_observation_space}; expected a Dict")
    choices, random = Choices(env.single_action_space), np.random.default_rng(seed)
    observation, _ = env.reset(seed=int(random.integers(2**31)))
    over = np.zeros(env.num_envs, np.bool_)
    results: list[bool] = []
    for _ in range(max(1, steps // env.num_envs)):
        answers = _ask(expert, choices, observation, np.flatnonzero(~over).tolist())
        known = {row: action for row, action in answers.items() if action is not None}
        if known:
            memory.add(observation, list(known), list(known.values()))
        disturbed = random.random(env.num_envs) < disturbance
        if learner is None:
            actions = np.zeros((env.num_envs, *choices.shape), np.int64)
            for row, action in known.items():
                actions[row] = action
            disturbed[[row for row in answers if row not in known]] = True
        else:
            actions = np.array(learner(observation), np.int64)
        for row in np.flatnonzero(disturbed).tolist():
            actions[row] = choices.draw(_mask(observation, row), random)
        observation, _, terminated, truncated, info = env.step(actions)
        over = terminated | truncated
        results += [bool(info["is_success"][row]) for row in np.flatnonzero(over)]
    return float(np.mean(results)) if results else 0.0


def _ask(
    expert: Expert, choices: Choices, observation: Arrays, rows: list[int]
) -> dict[int, Any | None]:
    """The expert's action in each of the rows."""
    answers = {}
    for row in rows:
        action = expert(row, {key: part[row] for key, part in observation.items()})
        if action is not None and not choices.allows(_mask(observation, row), action):
            raise InputError(f"the expert's action {action!r} in row {row} is illegal there")
        answers[row] = action
    return answers


def _mask(observation: Arrays, row: int) -> NDArray[Any] | None:
    return observation[MASK][row] if MASK in observation else None


def uniform(records: Records, size: int = 128) -> Batches:
    """Batches of ``size`` states, each drawn uniformly; observations as they were kept."""

    def draw(random: np.random.Generator) -> Batch:
        rows = random.integers(len(records.actions), size=size)
        batch = {key: torch.as_tensor(part[rows]) for key, part in records.observations.items()}
        return batch, torch.as_tensor(records.actions[rows])

    return draw


def fit(
    network: nn.Module,
    space: "gym.Space[Any]",
    batches: Batches,
    updates: int,
    rate: float,
    seed: int,
) -> float:
    """Fits a network to the expert's actions, by cross-entropy over the legal ones.

    Args:
        network: Is changed; gives the logits ``(batch, sum of options)`` of a batch of
            observations, or a tuple that begins with them.
        space: The space of a single environment's actions.
        batches: Draws a batch, unpacked and augmented.
        updates: How many.
        rate: Highest learning rate of a one-cycle schedule.
        seed: Seeds what ``batches`` draws.

    Returns:
        The mean loss of the last 100 updates, in nats.

    Raises:
        InputError: The space is of another kind than :class:`Choices` takes.
    """
    choices, random = Choices(space), np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, updates, pct_start=0.1)
    network.train()
    losses = []
    for _ in range(updates):
        observations, actions = batches(random)
        loss = choices.loss(_logits(network, observations), observations.get(MASK), actions)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    network.eval()
    return float(np.mean(losses[-100:]))


def greedy(network: nn.Module, space: "gym.Space[Any]") -> Learner:
    """A learner that takes a network's most probable legal actions.

    Args:
        network: As of :func:`fit`.
        space: The space of a single environment's actions.

    Raises:
        InputError: The space is of another kind than :class:`Choices` takes.
    """
    choices = Choices(space)

    def act(observations: Arrays) -> NDArray[np.int64]:
        batch = {key: torch.as_tensor(part) for key, part in observations.items()}
        with torch.inference_mode():
            actions: NDArray[np.int64] = choices.best(
                _logits(network, batch), batch.get(MASK)
            ).numpy()
        return actions

    return act


def _logits(network: nn.Module, observations: Mapping[str, Tensor]) -> Tensor:
    found = network(observations)
    logits: Tensor = found[0] if isinstance(found, tuple) else found
    return logits


def dagger(
    network: nn.Module,
    env: "VectorEnv[Any, Any, Any]",
    expert: Expert,
    rounds: int = 2,
    steps: int = 4000,
    updates: int = 400,
    rate: float = 3e-3,
    seed: int = 0,
    disturbance: float = 0.1,
) -> list[float]:
    """Fits a network by dataset aggregation in one environment.

    Args:
        network: As of :func:`fit`.
        env: As of :func:`collect`.
        expert: The expert.
        rounds: Rounds in which the network acts, after the expert's; 0 is behaviour cloning.
        steps: Roughly the number of states of a round.
        updates: Updates after each round.
        rate: Highest learning rate.
        seed: Seeds episodes, disturbances and batches, but not the network's weights.
        disturbance: As of :func:`collect`.

    Returns:
        The share of successful episodes in each round, of the expert's and then of the network's.

    Raises:
        InputError: As of :func:`collect`.
    """
    memory, space = Memory(), env.single_action_space
    learner, successes = None, []
    for turn in range(rounds + 1):
        draw = (rounds + 1) * seed + turn
        successes.append(collect(memory, env, expert, steps, draw, learner, disturbance))
        fit(network, space, uniform(memory.joined()), updates, rate, draw)
        learner = greedy(network, space)
    return successes
