"""Actions as choices, whose logits and masks lie one after the other."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from agents.policies.masked import masked_logits
from hardware_sim.errors import InputError


class Choices:
    """The choices that make up an action: one of a Discrete space, several of a MultiDiscrete one.

    Args:
        space: The space of a single environment's actions.

    Attributes:
        shape: Of an action: ``()`` or ``(C,)`` for ``C`` choices.
        sizes: How many options each choice has.

    Raises:
        InputError: The space is of another kind, or does not count from 0.
    """

    def __init__(self, space: "gym.Space[Any]") -> None:
        if isinstance(space, gym.spaces.Discrete) and space.start == 0:
            self.sizes = [int(space.n)]
        elif isinstance(space, gym.spaces.MultiDiscrete) and space.nvec.ndim == 1:
            self.sizes = space.nvec.tolist()
        else:
            raise InputError(
                f"actions are {space}; expected Discrete or one-dimensional MultiDiscrete, from 0"
            )
        self.shape: tuple[int, ...] = space.shape or ()

    def draw(
        self, mask: NDArray[Any] | None, random: np.random.Generator
    ) -> int | NDArray[np.int64]:
        """A legal action, each choice uniform over its options.

        Args:
            mask: Nonzero where an option is legal, ``(sum of sizes,)``; ``None`` is all legal. A
                choice without a legal option counts as all legal: nobody carries that action out.
            random: Draws once a choice.
        """
        legal = [part if part.any() else ~part for part in self._split(mask)]
        drawn = [random.choice(np.flatnonzero(part)) for part in legal]
        return np.array(drawn, np.int64).reshape(self.shape)

    def allows(self, mask: NDArray[Any] | None, action: int | NDArray[Any]) -> bool:
        """True if an action exists and the mask ``(sum of sizes,)`` has all of its options."""
        options = np.reshape(action, -1).tolist()
        return len(options) == len(self.sizes) and all(
            0 <= option < len(part) and bool(part[option])
            for option, part in zip(options, self._split(mask), strict=True)
        )

    def best(self, logits: Tensor, mask: Tensor | None) -> Tensor:
        """The most probable legal actions, int64 ``(batch, *shape)``.

        Args:
            logits: ``(batch, sum of sizes)``.
            mask: Nonzero where an option is legal, shaped as the logits; ``None`` is all legal.
        """
        best = [part.argmax(1) for part in self._masked(logits, mask)]
        return torch.stack(best, 1).reshape(-1, *self.shape)

    def loss(self, logits: Tensor, mask: Tensor | None, actions: Tensor) -> Tensor:
        """Mean cross-entropy in nats of legal actions, summed over the choices.

        Args:
            logits: ``(batch, sum of sizes)``.
            mask: Nonzero where an option is legal, shaped as the logits; ``None`` is all legal.
            actions: int64 ``(batch, *shape)``.
        """
        parts, wanted = self._masked(logits, mask), actions.reshape(len(actions), -1).unbind(1)
        losses = [functional.cross_entropy(*each) for each in zip(parts, wanted, strict=True)]
        return torch.stack(losses).sum()

    def _split(self, mask: NDArray[Any] | None) -> list[NDArray[np.bool_]]:
        """The mask of each choice."""
        whole = np.ones(sum(self.sizes), np.bool_) if mask is None else mask > 0
        return np.split(whole, np.cumsum(self.sizes)[:-1])

    def _masked(self, logits: Tensor, mask: Tensor | None) -> list[Tensor]:
        """The masked logits ``(batch, size)`` of each choice."""
        parts = logits.split(self.sizes, 1)
        if mask is None:
            return list(parts)
        return [masked_logits(*each) for each in zip(parts, mask.split(self.sizes, 1), strict=True)]
