"""The shipped policy for tuning convolutions, as an agent."""

from typing import Any

import gymnasium as gym

from agents.engines.sb3_networks import policy_kwargs
from agents.engines.sb3_policy import MaskedPolicy, PolicyAgent
from agents.pretrained import pretrained
from agents.tables import training_settings
from agents.view import View
from envs.weights import load_weights

NAME = "convolution-policy"


def network(env: gym.Env[Any, Any] | View) -> MaskedPolicy:
    """Actor and critic of a tuning environment, not trained."""
    described = {
        "extractor": training_settings("ConvTuning-v1")["extractor"],
        "network": None,
        "policy_kwargs": {},
    }
    return MaskedPolicy(
        env.observation_space, env.action_space, lambda _: 0.0, **policy_kwargs(described)
    )


class TuningAgent(PolicyAgent):
    """Samples choices of the pretrained policy; a mode would be tried again and again.

    Args:
        view: Of a tuning environment.
    """

    def __init__(self, view: View) -> None:
        policy = network(view)
        load_weights(policy, pretrained(NAME))
        super().__init__(policy, view, deterministic=False)
