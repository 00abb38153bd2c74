"""A trained RLlib module as an agent; acting needs no Ray session."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
import tree
from ray.rllib.core.columns import Columns
from ray.rllib.utils.numpy import convert_to_numpy, flatten_inputs_to_1d_tensor
from ray.rllib.utils.spaces.space_utils import get_base_struct_from_space, unsquash_action
from ray.rllib.utils.torch_utils import convert_to_torch_tensor


class ModuleAgent:
    """Acts by a module.

    Args:
        module: The policy.
        observation_space: Of the environment; flattened as in training where the module has
            RLlib's own networks.
        action_space: Of the environment; RLlib's policies act in [-1, 1] for a bounded Box.
        deterministic: The most probable action rather than a sampled one.
    """

    def __init__(
        self,
        module: Any,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        deterministic: bool,
    ) -> None:
        self._module = module
        self._action_space = action_space
        self._deterministic = deterministic
        flattened = isinstance(observation_space, gym.spaces.Dict) and not isinstance(
            module.observation_space, gym.spaces.Dict
        )
        self._struct = get_base_struct_from_space(observation_space) if flattened else None
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Seeds sampled actions."""
        self._random = torch.Generator().manual_seed(seed).get_state()

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """The action, as the environment's action space has it."""
        if self._struct is not None:
            observation = flatten_inputs_to_1d_tensor(observation, self._struct, batch_axis=False)
        batch = tree.map_structure(lambda value: np.asarray(value)[None], observation)
        # RLlib's distributions draw from torch's global stream; ours is put there for one draw.
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._random)
            outputs = self._module.forward_inference({Columns.OBS: convert_to_torch_tensor(batch)})
            action = convert_to_numpy(self._choose(outputs))[0]
            self._random = torch.get_rng_state()
        if isinstance(self._action_space, gym.spaces.Box):
            return unsquash_action(action, self._action_space)
        return action

    def _choose(self, outputs: dict[str, Any]) -> Any:
        if Columns.ACTIONS in outputs:
            return outputs[Columns.ACTIONS]
        kind = self._module.get_inference_action_dist_cls()
        distribution = kind.from_logits(outputs[Columns.ACTION_DIST_INPUTS])
        if self._deterministic:
            distribution = distribution.to_deterministic()
        return distribution.sample()


class TeamAgent:
    """Acts for every agent of a PettingZoo parallel environment.

    Args:
        members: The agent that acts for each name.
    """

    def __init__(self, members: dict[str, ModuleAgent]) -> None:
        self._members = members

    def reset(self, seed: int) -> None:
        """Seeds every member, each with a stream of its own."""
        for index, member in enumerate(self._members.values()):
            member.reset(seed + index)

    def act(self, observation: dict[str, Any], info: dict[str, Any]) -> dict[str, Any]:
        """An action for each agent that has an observation."""
        return {
            name: self._members[name].act(seen, info.get(name, {}))
            for name, seen in observation.items()
        }
