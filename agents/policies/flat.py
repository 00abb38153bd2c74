"""The default feature extractor: everything in one vector, one layer."""

from collections.abc import Mapping

import gymnasium as gym
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn import functional

from hardware_sim.errors import InputError

ENCODABLE = (spaces.Box, spaces.Discrete, spaces.MultiBinary, spaces.MultiDiscrete)


def _entries(space: "gym.Space[object]") -> dict[str, "gym.Space[object]"]:
    """The parts of a space that carry features; the action mask is not a feature."""
    if isinstance(space, spaces.Dict):
        return {key: part for key, part in space.items() if key != "action_mask"}
    return {"": space}


def _encode(space: "gym.Space[object]", value: Tensor) -> Tensor:
    """A batch of a space's values as (batch, flatdim) float32; categories become one-hot.

    Values that already are one-hot (an engine may encode them) are passed on.
    """
    width = spaces.flatdim(space)
    flat = value.reshape(value.shape[0], -1)
    if flat.shape[1] != width and isinstance(space, spaces.Discrete):
        flat = functional.one_hot(flat[:, 0].long() - int(space.start), width)
    elif flat.shape[1] != width and isinstance(space, spaces.MultiDiscrete):
        parts = zip(flat.long().unbind(1), space.nvec.reshape(-1).tolist(), strict=True)
        flat = torch.cat([functional.one_hot(part, size) for part, size in parts], dim=1)
    return flat.float()


class FlatExtractor(nn.Module):
    """Flattens every entry of an observation but ``action_mask``, then Linear and tanh.

    Args:
        observation_space: A ``Dict`` of Box, Discrete, MultiBinary and MultiDiscrete entries, or
            one of these.
        features_dim: Width of the output.

    Raises:
        InputError: The space has an entry of another kind, or none at all.
    """

    def __init__(self, observation_space: "gym.Space[object]", features_dim: int = 128) -> None:
        super().__init__()
        self.features_dim = features_dim
        self._spaces = _entries(observation_space)
        if not self._spaces:
            raise InputError("the observation space has no entry but the action mask")
        for key, space in self._spaces.items():
            if not isinstance(space, ENCODABLE):
                raise InputError(
                    f"observation {key!r} is a {type(space).__name__}; the default extractor "
                    "takes Box, Discrete, MultiBinary and MultiDiscrete"
                )
        width = sum(spaces.flatdim(space) for space in self._spaces.values())
        self.layer = nn.Linear(width, features_dim)

    def forward(self, observation: Tensor | Mapping[str, Tensor]) -> Tensor:
        """Features (batch, features_dim) of a batch of observations."""
        parts = {"": observation} if isinstance(observation, Tensor) else observation
        flat = [_encode(space, parts[key]) for key, space in self._spaces.items()]
        return torch.tanh(self.layer(torch.cat(flat, dim=1)))
