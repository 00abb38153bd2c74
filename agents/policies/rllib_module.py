"""RLlib modules for padded Dict observations with an action mask.

Both modules build the extractor that ``training.json`` names (the class Stable-Baselines3 uses
too), put small heads on it and mask what the environment forbids. They need no catalog, so that
graphs, matrices and integer arrays in the observation are the extractor's business alone.
"""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from ray.rllib.core.columns import Columns
from ray.rllib.core.distribution.torch.torch_distribution import (
    TorchCategorical,
    TorchDiagGaussian,
    TorchMultiCategorical,
)
from ray.rllib.core.learner.utils import make_target_network
from ray.rllib.core.rl_module.apis import (
    TARGET_NETWORK_ACTION_DIST_INPUTS,
    InferenceOnlyAPI,
    QNetAPI,
    TargetNetworkAPI,
    ValueFunctionAPI,
)
from ray.rllib.core.rl_module.torch import TorchRLModule
from ray.rllib.utils.schedules.scheduler import Scheduler
from torch import Tensor, nn

from agents.policies.flat import FlatExtractor
from agents.policies.masked import masked_logits
from agents.tables import find_network
from envs.weights import load_weights
from hardware_sim.errors import InputError

MASK = "action_mask"
DEFAULTS: dict[str, Any] = {"extractor": None, "features_dim": 128, "hidden": [64]}
"""Settings of a module that its ``model_config`` does not name."""
Q_VALUES, NEXT_Q_VALUES, TARGET_Q_VALUES = "qf_preds", "qf_next_preds", "qf_target_next_preds"
"""RLlib's names of what its DQN loss reads."""


def build_extractor(settings: dict[str, Any], space: gym.Space[Any]) -> Any:
    """The extractor that ``settings["extractor"]`` names; None is the flat one."""
    named = settings["extractor"]
    extractor = find_network(named, "extractor") if named else FlatExtractor
    return extractor(space, settings["features_dim"])


def _head(inputs: int, hidden: list[int], outputs: int) -> nn.Sequential:
    """A tanh network; its last layer starts small, so that the first policy is near uniform."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.Tanh()]
        inputs = width
    last = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(last.weight, gain=0.01)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


class MaskedActorCritic(TorchRLModule, InferenceOnlyAPI, ValueFunctionAPI, TargetNetworkAPI):
    """Policy and value heads on one shared extractor, for PPO, APPO, IMPALA, BC and MARWIL.

    ``model_config`` keys, by default those of :data:`DEFAULTS`: ``extractor`` ("module:class" or
    None for the flat one), ``features_dim`` (int) and ``hidden`` (widths of each head). Actions are
    Discrete, MultiDiscrete (its masks lie one after the other in ``action_mask``) or 1-D Box.
    """

    def setup(self) -> None:
        """Builds the networks; called once by RLlib."""
        space, settings = self.action_space, {**DEFAULTS, **(self.model_config or {})}
        if isinstance(space, gym.spaces.Discrete):
            outputs, self.action_dist_cls = int(space.n), TorchCategorical
        elif isinstance(space, gym.spaces.MultiDiscrete):
            counts = [int(count) for count in space.nvec]
            outputs = sum(counts)
            self.action_dist_cls = TorchMultiCategorical.get_partial_dist_cls(
                space=space, input_lens=counts
            )
        elif isinstance(space, gym.spaces.Box):
            outputs, self.action_dist_cls = 2 * int(np.prod(space.shape)), TorchDiagGaussian
        else:
            raise InputError(f"RLlib policies act in Discrete, MultiDiscrete or Box, not {space}")
        self.extractor = build_extractor(settings, self.observation_space)
        features = self.extractor.features_dim
        self.policy = _head(features, settings["hidden"], outputs)
        self.value = _head(features, settings["hidden"], 1)

    def _logits(self, policy: nn.Module, features: Tensor, observation: Any) -> Tensor:
        logits: Tensor = policy(features)
        if isinstance(observation, dict) and MASK in observation:
            return masked_logits(logits, observation[MASK])
        return logits

    def _forward(self, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
        features = self.extractor(batch[Columns.OBS])
        return {Columns.ACTION_DIST_INPUTS: self._logits(self.policy, features, batch[Columns.OBS])}

    def _forward_train(self, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
        features = self.extractor(batch[Columns.OBS])
        logits = self._logits(self.policy, features, batch[Columns.OBS])
        return {Columns.ACTION_DIST_INPUTS: logits, Columns.EMBEDDINGS: features}

    def compute_values(self, batch: dict[str, Any], embeddings: Tensor | None = None) -> Tensor:
        """State values, shape (batch,); ``embeddings`` are the features if already computed."""
        features = self.extractor(batch[Columns.OBS]) if embeddings is None else embeddings
        values: Tensor = self.value(features)
        return values.squeeze(-1)

    def make_target_networks(self) -> None:
        """Copies the policy for APPO's proximal term."""
        self._old_extractor = make_target_network(self.extractor)
        self._old_policy = make_target_network(self.policy)

    def get_target_network_pairs(self) -> list[tuple[nn.Module, nn.Module]]:
        """Pairs (network, its slow copy)."""
        return [(self.extractor, self._old_extractor), (self.policy, self._old_policy)]

    def forward_target(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The slow policy's masked logits."""
        observation = batch[Columns.OBS]
        logits = self._logits(self._old_policy, self._old_extractor(observation), observation)
        return {TARGET_NETWORK_ACTION_DIST_INPUTS: logits}

    def get_non_inference_attributes(self) -> list[str]:
        """Names of the attributes that runners need not hold."""
        return ["value", "_old_extractor", "_old_policy"]


class NetworkActorCritic(TorchRLModule, InferenceOnlyAPI, ValueFunctionAPI, TargetNetworkAPI):
    """Actor and critic in one network of our own, for PPO, APPO, IMPALA, BC and MARWIL.

    ``model_config`` keys: ``network`` ("module:class" of a module that gives logits and values of
    a batch of observations) and ``weights`` (a file to begin with, or None).
    """

    def setup(self) -> None:
        """Builds the network; called once by RLlib."""
        if not isinstance(self.action_space, gym.spaces.Discrete):
            raise InputError(f"this network acts in Discrete spaces, not {self.action_space}")
        self.action_dist_cls = TorchCategorical
        self.network = find_network(self.model_config["network"], "network")()
        if self.model_config["weights"] is not None:
            load_weights(self.network, self.model_config["weights"])

    def _outputs(self, network: nn.Module, observation: Any) -> tuple[Tensor, Tensor]:
        logits, values = network(observation)
        return masked_logits(logits, observation[MASK]), values

    def _forward(self, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {Columns.ACTION_DIST_INPUTS: self._outputs(self.network, batch[Columns.OBS])[0]}

    def _forward_train(self, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
        logits, values = self._outputs(self.network, batch[Columns.OBS])
        return {Columns.ACTION_DIST_INPUTS: logits, Columns.EMBEDDINGS: values}

    def compute_values(self, batch: dict[str, Any], embeddings: Tensor | None = None) -> Tensor:
        """State values, shape (batch,); ``embeddings`` are the values if already computed."""
        if embeddings is not None:
            return embeddings
        return self._outputs(self.network, batch[Columns.OBS])[1]

    def make_target_networks(self) -> None:
        """Copies the network for APPO's proximal term."""
        self._old_network = make_target_network(self.network)

    def get_target_network_pairs(self) -> list[tuple[nn.Module, nn.Module]]:
        """Pairs (network, its slow copy)."""
        return [(self.network, self._old_network)]

    def forward_target(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The slow policy's masked logits."""
        logits = self._outputs(self._old_network, batch[Columns.OBS])[0]
        return {TARGET_NETWORK_ACTION_DIST_INPUTS: logits}

    def get_non_inference_attributes(self) -> list[str]:
        """Names of the attributes that runners need not hold."""
        return ["_old_network"]


class MaskedQ(TorchRLModule, InferenceOnlyAPI, QNetAPI, TargetNetworkAPI):
    """Action values for DQN; an illegal action's value is minus infinity.

    RLlib's DQN loss takes the maximum over the next state's actions and replaces infinities, so
    masked values never enter a target. ``model_config`` keys are those of
    :class:`MaskedActorCritic`, plus RLlib's own ``epsilon`` and ``double_q``.
    """

    def setup(self) -> None:
        """Builds the networks; called once by RLlib."""
        settings = {**DEFAULTS, **self.model_config}
        if not isinstance(self.action_space, gym.spaces.Discrete):
            raise InputError(f"dqn acts in Discrete spaces, not {self.action_space}")
        self.epsilon = Scheduler(
            fixed_value_or_schedule=settings["epsilon"], framework=self.framework
        )
        self.extractor = build_extractor(settings, self.observation_space)
        self.head = _head(self.extractor.features_dim, settings["hidden"], int(self.action_space.n))

    def _values(self, extractor: nn.Module, head: nn.Module, observation: Any) -> Tensor:
        values: Tensor = head(extractor(observation))
        return values.masked_fill(~self._legal(observation, values), -torch.inf)

    @staticmethod
    def _legal(observation: Any, values: Tensor) -> Tensor:
        if isinstance(observation, dict) and MASK in observation:
            return observation[MASK].bool()  # type: ignore[no-any-return]
        return torch.ones_like(values, dtype=torch.bool)

    def compute_q_values(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """``{"qf_preds": values of shape (batch, actions)}``."""
        return {Q_VALUES: self._values(self.extractor, self.head, batch[Columns.OBS])}

    def make_target_networks(self) -> None:
        """Copies the network for the bootstrap target."""
        self._target_extractor = make_target_network(self.extractor)
        self._target_head = make_target_network(self.head)

    def get_target_network_pairs(self) -> list[tuple[nn.Module, nn.Module]]:
        """Pairs (network, its slow copy)."""
        return [(self.extractor, self._target_extractor), (self.head, self._target_head)]

    def forward_target(self, batch: dict[str, Any]) -> dict[str, Tensor]:
        """Values by the slow copy."""
        values = self._values(self._target_extractor, self._target_head, batch[Columns.OBS])
        return {Q_VALUES: values}

    def get_non_inference_attributes(self) -> list[str]:
        """Names of the attributes that runners need not hold."""
        return ["_target_extractor", "_target_head"]

    def _forward_inference(self, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {Columns.ACTIONS: self.compute_q_values(batch)[Q_VALUES].argmax(-1)}

    def _forward_exploration(self, batch: dict[str, Any], t: int = 0, **_: Any) -> dict[str, Any]:
        """Epsilon-greedy, where the random action is uniform over the legal ones."""
        with torch.no_grad():
            values = self.compute_q_values(batch)[Q_VALUES]
        self.epsilon.update(t)
        legal = self._legal(batch[Columns.OBS], values).float()
        # RLlib steps an environment once more after its end and ignores the action; there the
        # mask may be empty, and multinomial needs some weight.
        legal[legal.sum(-1) == 0] = 1.0
        random = torch.multinomial(legal, 1).squeeze(-1)
        explore = torch.rand(len(values)) < self.epsilon.get_current_value()
        return {Columns.ACTIONS: torch.where(explore, random, values.argmax(-1))}

    def _forward_train(self, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
        values = self.compute_q_values(batch)[Q_VALUES]
        following = {Columns.OBS: batch[Columns.NEXT_OBS]}
        return {
            Q_VALUES: values,
            NEXT_Q_VALUES: self.compute_q_values(following)[Q_VALUES],
            TARGET_Q_VALUES: self.forward_target(following)[Q_VALUES],
        }
