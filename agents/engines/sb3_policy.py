"""Our networks and masked distribution inside Stable-Baselines3, and the agents made of them."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from sb3_contrib.common.maskable.distributions import (
    MaskableCategoricalDistribution,
    MaskableDistribution,
    MaskableMultiCategoricalDistribution,
)
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from agents.policies.masked import MaskedCategorical
from agents.tables import find_network
from agents.view import View
from hardware_sim.errors import InputError


class Extractor(BaseFeaturesExtractor):
    """A domain's feature extractor, named by a string, as Stable-Baselines3 wants it.

    Args:
        observation_space: Given to the extractor.
        extractor: Name, see :func:`agents.tables.find_network`, of a class that takes
            ``(observation_space, **kwargs)`` and has ``features_dim``.
        **kwargs: Given to the extractor.
    """

    def __init__(self, observation_space: spaces.Space[Any], extractor: str, **kwargs: Any) -> None:
        module = find_network(extractor, "extractor")(observation_space, **kwargs)
        super().__init__(observation_space, module.features_dim)
        self.module = module

    def forward(self, observations: Any) -> Tensor:
        """Features (batch, features_dim)."""
        features: Tensor = self.module(observations)
        return features


class SoundCategorical(MaskableCategoricalDistribution):
    """One choice, by :class:`agents.policies.masked.MaskedCategorical`."""

    distribution: MaskedCategorical  # type: ignore[assignment]  # it has the methods that are used

    def proba_distribution(self, action_logits: Tensor) -> "SoundCategorical":
        """Sets the logits (batch, actions)."""
        self.distribution = MaskedCategorical(action_logits.view(-1, self.action_dim))
        return self

    def mode(self) -> Tensor:
        """The most probable legal actions (batch,)."""
        return self.distribution.mode()


class SoundMultiCategorical(MaskableMultiCategoricalDistribution):
    """Several independent choices, each a :class:`agents.policies.masked.MaskedCategorical`."""

    distributions: list[MaskedCategorical]  # type: ignore[assignment]  # as above

    def proba_distribution(self, action_logits: Tensor) -> "SoundMultiCategorical":
        """Sets the logits (batch, sum of actions)."""
        parts = torch.split(action_logits.view(-1, sum(self.action_dims)), self.action_dims, dim=1)
        self.distributions = [MaskedCategorical(part) for part in parts]
        return self

    def mode(self) -> Tensor:
        """The most probable legal actions (batch, choices)."""
        return torch.stack([part.mode() for part in self.distributions], dim=1)


class MaskedPolicy(MaskableActorCriticPolicy):
    """Actor and critic of MaskablePPO with a numerically sound masked distribution."""

    def _build(self, lr_schedule: Schedule) -> None:
        if isinstance(self.action_space, spaces.Discrete):
            self.action_dist = SoundCategorical(int(self.action_space.n))
        elif isinstance(self.action_space, spaces.MultiDiscrete):
            self.action_dist = SoundMultiCategorical(self.action_space.nvec.tolist())
        elif isinstance(self.action_space, spaces.MultiBinary):
            self.action_dist = SoundMultiCategorical([2] * int(self.action_space.n))
        super()._build(lr_schedule)


class NetworkPolicy(MaskedPolicy):
    """Actor and critic in one network of our own, which reads the observation as it is.

    Args:
        observation_space: The environment's.
        action_space: The environment's, Discrete.
        lr_schedule: Learning rate by remaining progress.
        network: Name, see :func:`agents.tables.find_network`, of a module that gives logits
            (batch, actions) and values (batch,) from a batch of observations.
        **kwargs: As of the superclass.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Schedule,
        network: str,
        **kwargs: Any,
    ) -> None:
        self.network_name = network
        super().__init__(observation_space, action_space, lr_schedule, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        if not isinstance(self.action_space, spaces.Discrete):
            raise InputError(
                f"{self.network_name} acts in Discrete spaces, not {self.action_space}"
            )
        self.action_dist = SoundCategorical(int(self.action_space.n))
        self.network: nn.Module = find_network(self.network_name, "network")()
        settings: dict[str, Any] = {"lr": lr_schedule(1), **self.optimizer_kwargs}
        self.optimizer = self.optimizer_class(self.network.parameters(), **settings)

    def _evaluate(self, observation: Any, masks: Any) -> tuple[MaskableDistribution, Tensor]:
        logits, values = self.network(observation)
        distribution = self.action_dist.proba_distribution(logits)
        distribution.apply_masking(masks)
        return distribution, values[:, None]

    def forward(
        self, obs: Any, deterministic: bool = False, action_masks: Any = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Actions (batch,), values (batch, 1) and log-probabilities (batch,)."""
        distribution, values = self._evaluate(obs, action_masks)
        actions = distribution.get_actions(deterministic=deterministic)
        return actions, values, distribution.log_prob(actions)

    def evaluate_actions(
        self, obs: Any, actions: Tensor, action_masks: Any = None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Values (batch, 1), log-probabilities (batch,) and entropies (batch,)."""
        distribution, values = self._evaluate(obs, action_masks)
        return values, distribution.log_prob(actions), distribution.entropy()

    def get_distribution(self, obs: Any, action_masks: Any = None) -> Any:
        """The distribution of actions."""
        return self._evaluate(obs, action_masks)[0]

    def predict_values(self, obs: Any) -> Tensor:
        """Values (batch, 1)."""
        return self._evaluate(obs, None)[1]


def has_masks(env: gym.Env[Any, Any]) -> bool:
    """True if an environment has masks of legal actions, by method or in its observation."""
    space = env.observation_space
    in_observation = isinstance(space, spaces.Dict) and "action_mask" in space.spaces
    return in_observation or env.has_wrapper_attr("action_masks")


class PolicyAgent:
    """Acts by a trained policy.

    Args:
        policy: The policy, trained for the environment's spaces.
        env: It, or a view of it; asked for legal actions where the observation has no mask.
        deterministic: The most probable legal action; otherwise a sample.
    """

    def __init__(
        self, policy: BasePolicy, env: gym.Env[Any, Any] | View, deterministic: bool = True
    ) -> None:
        self.policy = policy
        self.deterministic = deterministic
        self._env = env
        self._masked = isinstance(policy, MaskedPolicy)
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Seeds the sampling of actions."""
        self._random_state = torch.Generator().manual_seed(seed).get_state()

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """The policy's action, as the action space has it (int for Discrete, else an array)."""
        masks: dict[str, Any] = {"action_masks": self._legal(observation)} if self._masked else {}
        # Policies sample from torch's one global stream; ours is swapped in, theirs restored.
        with torch.random.fork_rng(devices=[], enabled=not self.deterministic):
            if not self.deterministic:
                torch.set_rng_state(self._random_state)
            action, _ = self.policy.predict(observation, deterministic=self.deterministic, **masks)
            if not self.deterministic:
                self._random_state = torch.get_rng_state()
        return int(action) if isinstance(self.policy.action_space, spaces.Discrete) else action

    def _legal(self, observation: Any) -> NDArray[np.bool_]:
        if isinstance(observation, dict) and "action_mask" in observation:
            return np.asarray(observation["action_mask"], dtype=np.bool_)
        return np.asarray(self._env.get_wrapper_attr("action_masks")(), dtype=np.bool_)
