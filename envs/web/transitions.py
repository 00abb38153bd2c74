"""A demonstration as transitions to learn from: observations, actions and rewards."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.web import observation
from envs.web.actions import encode
from envs.web.demonstration import ACT, Demonstration
from envs.web.document import MAX_ELEMENTS
from envs.web.factoring import Unmapped, to_actions
from envs.web.observation import Encoder
from envs.web.session import ILLEGAL
from hardware_sim.errors import InputError


class Transitions(NamedTuple):
    """An episode of ``steps`` actions, as :class:`envs.web.env.WebEnv` gives it.

    Attributes:
        observations: Each part of the observation space but pixels, ``(steps + 1, ...)``.
        actions: int64 ``(steps,)``.
        rewards: float32 ``(steps,)``.
        terminated: Whether the episode ended with a judgement.
        unmapped: A person's steps that have no action.
    """

    observations: dict[str, NDArray[Any]]
    actions: NDArray[np.int64]
    rewards: NDArray[np.float32]
    terminated: bool
    unmapped: list[Unmapped]


def transitions(demonstration: Demonstration) -> Transitions:
    """The transitions of a demonstration; a person's illegal actions are left out.

    Observations are those of the recorded states.

    Raises:
        InputError: The pages are foreign, or a page has more elements than an observation.
    """
    if demonstration.foreign:
        raise InputError(
            f"{demonstration.env_id} was recorded on foreign pages, which no environment here "
            "observes; allowed: demonstrations of the WoB-* environments"
        )
    decisions, unmapped = to_actions(demonstration)
    by_agent = any(step.type == ACT for step in demonstration.steps)
    eye = _Eye(demonstration)
    seen, actions, rewards = [], [], []
    for decision in decisions:
        look, number = eye.look(decision.state), encode(decision.action)
        legal = bool(look["action_mask"][number])
        if legal or by_agent:
            seen.append(look)
            actions.append(number)
            rewards.append(0.0 if legal else ILLEGAL)
        else:
            unmapped.append(Unmapped(decision.step, "the action mask rules it out"))
    if not actions:
        raise InputError(f"{demonstration.env_id}, seed {demonstration.seed}: there is no action")
    seen.append(eye.look(demonstration.steps[-1].state))
    rewards[-1] += demonstration.score or 0.0
    return Transitions(
        {key: np.stack([look[key] for look in seen]) for key in seen[0]},
        np.array(actions, np.int64),
        np.array(rewards, np.float32),
        demonstration.score is not None,
        unmapped,
    )


class _Eye:
    """Sees the states of a demonstration as an environment would."""

    def __init__(self, demonstration: Demonstration) -> None:
        space = observation.space(demonstration.viewport, pixels=False)
        self.arrays = {key: np.zeros(part.shape or (), part.dtype) for key, part in space.items()}
        self.encoder = Encoder(self.arrays, demonstration.viewport)
        self.encoder.begin(demonstration.instruction, demonstration.fields)

    def look(self, state: Any) -> dict[str, NDArray[Any]]:
        """The observation of a state."""
        if len(state.rows) > MAX_ELEMENTS:
            raise InputError(f"a page has {len(state.rows)} elements; at most {MAX_ELEMENTS}")
        self.encoder.update(state)
        return {key: array.copy() for key, array in self.arrays.items()}
