"""The feature extractor of policies for tuning convolutions."""

import gymnasium as gym
import torch
from torch import Tensor, nn

from hardware_sim.errors import InputError


class TuningExtractor(nn.Module):
    """Features of a layer being tuned: each method seen by one network, the layer, the last tries.

    The same small network looks at every method's features, so that what is learned of a working
    set that exceeds the cache holds for all of them; its outputs, in the order of methods, are
    mixed with the layer's sizes, the machine and the history.

    Args:
        observation_space: The tuning environment's ``Dict``.
        features_dim: Length of the output.

    Raises:
        InputError: The observation space is not that of a tuning environment.
    """

    def __init__(self, observation_space: gym.spaces.Dict, features_dim: int = 128) -> None:
        super().__init__()
        missing = {"layer", "machine", "methods", "history", "progress"} - set(
            observation_space.keys()
        )
        if missing:
            raise InputError(f"no tuning observation: {', '.join(sorted(missing))} missing")
        shapes = {key: space.shape or (0, 0) for key, space in observation_space.items()}
        methods, width = shapes["methods"]
        rest = sum(shapes[key][0] for key in ("layer", "machine", "progress"))
        rest += shapes["history"][0] * shapes["history"][1]
        self.features_dim = features_dim
        self.method = nn.Sequential(nn.Linear(width, 32), nn.Tanh(), nn.Linear(32, 8), nn.Tanh())
        self.rest = nn.Linear(rest, features_dim)
        self.mix = nn.Linear(methods * 8, features_dim)

    def forward(self, observation: dict[str, Tensor]) -> Tensor:
        """Features ``(B, features_dim)`` of a batch of observations."""
        methods = self.method(observation["methods"].float()).flatten(1)
        keys = ("layer", "machine", "progress", "history")
        rest = torch.cat([observation[key].float().flatten(1) for key in keys], dim=1)
        return torch.tanh(self.mix(methods) + self.rest(rest))
