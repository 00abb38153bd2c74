"""The feature extractor of placement policies."""

import gymnasium as gym
import torch
from torch import Tensor, nn

from envs.placement.group_graph import NODE_FEATURES
from envs.placement.list_schedule import NODE_FLAGS
from hardware_sim.errors import InputError


class PlacementExtractor(nn.Module):
    """Features of the next decision: the devices, the group, where it is, what came before.

    Three views are concatenated and mixed: the outlook of the group on every device, the group's
    own features beside the mean of its placed neighbours' device flags, and a learned embedding
    of its position in the graph, which lets a policy remember what each group deserves.

    Args:
        observation_space: The placement environment's ``Dict``.
        features_dim: Length of the output.

    Raises:
        InputError: The observation space is not that of a placement environment.
    """

    def __init__(self, observation_space: gym.spaces.Dict, features_dim: int = 128) -> None:
        super().__init__()
        missing = {"nodes", "edge_index", "edge_mask", "current", "devices"} - set(
            observation_space.keys()
        )
        if missing:
            raise InputError(f"no placement observation: {', '.join(sorted(missing))} missing")
        groups, width = observation_space["nodes"].shape or (0, 0)
        devices, outlook = observation_space["devices"].shape or (0, 0)
        self.features_dim = features_dim
        self.current_flag = len(NODE_FEATURES) + 1
        self.first_device = len(NODE_FEATURES) + len(NODE_FLAGS)
        self.position = nn.Parameter(torch.zeros(groups, features_dim))
        self.devices = nn.Linear(devices * outlook, features_dim)
        self.group = nn.Linear(width, features_dim)
        self.neighbours = nn.Linear(devices, features_dim, bias=False)
        self.mix = nn.Sequential(nn.Tanh(), nn.Linear(features_dim, features_dim), nn.Tanh())

    def forward(self, observation: dict[str, Tensor]) -> Tensor:
        """Features ``(B, features_dim)`` of a batch of observations."""
        nodes = observation["nodes"].float()
        current = nodes[:, :, self.current_flag]
        hidden = self.devices(observation["devices"].float().flatten(1))
        hidden = hidden + self.group(observation["current"].float())
        hidden = hidden + self.neighbours(self._placed_inputs(observation, nodes, current))
        features: Tensor = self.mix(hidden + current @ self.position)
        return features

    def _placed_inputs(
        self, observation: dict[str, Tensor], nodes: Tensor, current: Tensor
    ) -> Tensor:
        """Share of the group's inputs on each device, ``(B, D)``."""
        edges = observation["edge_index"].long()
        reads = torch.gather(current, 1, edges[:, :, 1]) * observation["edge_mask"].float()
        flags = nodes[:, :, self.first_device :]
        producers = edges[:, :, :1].expand(-1, -1, flags.shape[2])
        total = (torch.gather(flags, 1, producers) * reads[:, :, None]).sum(dim=1)
        return total / reads.sum(dim=1, keepdim=True).clamp(min=1)
