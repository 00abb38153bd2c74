"""A categorical distribution over the legal actions, sound for any finite logits."""

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Mask = Tensor | NDArray[np.generic] | None


def _legal(logits: Tensor, mask: Mask) -> Tensor:
    """The mask as bool of the logits' shape; rows without a legal action count as all legal.

    Such rows come from observations after the last step, whose action nobody executes.
    """
    if mask is None:
        return torch.ones_like(logits, dtype=torch.bool)
    legal = torch.as_tensor(mask, device=logits.device).reshape(logits.shape).bool()
    return legal | ~legal.any(dim=-1, keepdim=True)


def masked_logits(logits: Tensor, mask: Mask) -> Tensor:
    """Logits with those of illegal actions at the dtype's minimum.

    The minimum is finite, so softmax, log-softmax and their gradients stay free of NaN; legal
    logits are clamped to half the dtype's range, so that no legal one reaches it.

    Args:
        logits: Raw logits (..., actions), floating point.
        mask: Nonzero where an action is legal, reshapeable to the logits' shape; ``None`` is
            all legal.

    Returns:
        A tensor like ``logits``; the input is unchanged and gradients flow to legal entries.
    """
    return _fill(logits, _legal(logits, mask))


def _fill(logits: Tensor, legal: Tensor) -> Tensor:
    limits = torch.finfo(logits.dtype)
    bounded = logits.clamp(limits.min / 2, limits.max / 2)
    return torch.where(legal, bounded, limits.min)


class MaskedCategorical:
    """Distribution over the last axis of raw logits, restricted to the legal actions.

    The raw logits are kept and every mask is applied to them afresh, so masking twice is masking
    once. Nothing is validated against the simplex: probabilities follow from the logits by
    log-softmax and are never renormalised, which is what fails in other implementations with
    thousands of actions.

    Args:
        logits: Raw logits (..., actions).
        mask: Nonzero where an action is legal; ``None`` is all legal.
    """

    def __init__(self, logits: Tensor, mask: Mask = None) -> None:
        self._raw = logits
        self.apply_masking(mask)

    def apply_masking(self, mask: Mask) -> None:
        """Replaces the mask; ``None`` removes it."""
        self._mask = _legal(self._raw, mask)
        self.__dict__.pop("logits", None)

    @cached_property
    def logits(self) -> Tensor:
        """Log-probabilities (..., actions); finite, hugely negative where illegal."""
        logits = torch.log_softmax(_fill(self._raw, self._mask), dim=-1)
        return logits.clamp_min(torch.finfo(logits.dtype).min)

    @property
    def probs(self) -> Tensor:
        """Probabilities (..., actions), exactly 0 where illegal."""
        return torch.where(self._mask, self.logits.exp(), 0.0)

    def log_prob(self, actions: Tensor) -> Tensor:
        """Log-probability (...) of integer actions (...)."""
        return self.logits.gather(-1, actions.long().unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """Entropy (...) in nats over the legal actions."""
        # Zeroed before the product, so that the gradient of an illegal entry is 0, not 0 * huge.
        logits = torch.where(self._mask, self.logits, 0.0)
        return -(self.probs * logits).sum(-1)

    def kl(self, other: "MaskedCategorical") -> Tensor:
        """Kullback-Leibler divergence (...) in nats to a distribution with the same mask."""
        difference = torch.where(self._mask, self.logits - other.logits, 0.0)
        return (self.probs * difference).sum(-1)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Legal actions (...), int64, drawn by the Gumbel-max trick."""
        noise = torch.empty_like(self.logits).exponential_(generator=generator)
        gumbel = -noise.clamp_min(torch.finfo(noise.dtype).tiny).log()
        perturbed = self.logits.detach() + gumbel
        # Where the legal logits are so far apart that noise is lost, illegal ones stay below all.
        return torch.where(self._mask, perturbed, -torch.inf).argmax(-1)

    def mode(self) -> Tensor:
        """The most probable legal actions (...), int64; the first of equals."""
        return torch.where(self._mask, self.logits.detach(), -torch.inf).argmax(-1)
