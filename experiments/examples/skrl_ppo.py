"""PPO of skrl on a native vector class: ``python -m experiments.examples.skrl_ppo``."""

from typing import Any

import gymnasium as gym
import torch
from skrl.agents.torch.ppo import PPO
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.models.torch import CategoricalMixin, DeterministicMixin, Model
from skrl.trainers.torch import SequentialTrainer
from skrl.utils.spaces.torch import unflatten_tensorized_space
from torch import Tensor, nn

from agents.policies.flat import FlatExtractor
from agents.policies.masked import masked_logits
from experiments.examples.scoring import mean_score
from hardware_sim.commands import run

ID = "envs:CompactFeature-v0"
ENVS, ROLLOUT = 32, 32


class Policy(CategoricalMixin, Model):
    """Logits of the legal actions; skrl joins the entries of a Dict into one vector."""

    def __init__(self, observations: gym.spaces.Dict, actions: "gym.spaces.Discrete[Any]") -> None:
        Model.__init__(self, observation_space=observations, action_space=actions, device="cpu")
        CategoricalMixin.__init__(self)
        self.encode = FlatExtractor(observations)
        self.out = nn.Linear(self.encode.features_dim, int(actions.n))

    def compute(self, inputs: dict[str, Any], role: str = "") -> tuple[Tensor, dict[str, Any]]:
        """The logits."""
        parts = unflatten_tensorized_space(self.observation_space, inputs["observations"])
        return masked_logits(self.out(self.encode(parts)), parts["action_mask"]), {}


class Value(DeterministicMixin, Model):
    """The value of a state."""

    def __init__(self, observations: gym.spaces.Dict, actions: "gym.spaces.Discrete[Any]") -> None:
        Model.__init__(self, observation_space=observations, action_space=actions, device="cpu")
        DeterministicMixin.__init__(self)
        self.encode = FlatExtractor(observations)
        self.out = nn.Linear(self.encode.features_dim, 1)

    def compute(self, inputs: dict[str, Any], role: str = "") -> tuple[Tensor, dict[str, Any]]:
        """The value."""
        parts = unflatten_tensorized_space(self.observation_space, inputs["observations"])
        return self.out(self.encode(parts)), {}


def main(steps: int = 30_000) -> None:
    """Trains and prints scores before and after."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # networks this small only wait for each other on more
    vector = gym.make_vec(ID, num_envs=ENVS)
    spaces: Any = vector.single_observation_space, vector.single_action_space
    env = wrap_env(vector, wrapper="gymnasium", verbose=False)
    policy = Policy(*spaces)
    agent = PPO(
        models={"policy": policy, "value": Value(*spaces)},
        memory=RandomMemory(memory_size=ROLLOUT, num_envs=ENVS, device="cpu"),
        observation_space=spaces[0],
        action_space=spaces[1],
        device="cpu",
        cfg={
            "rollouts": ROLLOUT,
            "learning_epochs": 4,
            "mini_batches": 4,
            "discount_factor": 1.0,
            "gae_lambda": 1.0,
            "learning_rate": 1e-3,
            "entropy_loss_scale": 0.003,
            "experiment": {"write_interval": 0, "checkpoint_interval": 0},
        },
    )

    def act(observation: Any) -> int:
        parts = {name: torch.as_tensor(part)[None] for name, part in observation.items()}
        with torch.no_grad():
            logits = policy.out(policy.encode(parts))
        return int(masked_logits(logits, parts["action_mask"]).argmax())

    before = mean_score(ID, act)
    settings = {
        "timesteps": max(ROLLOUT, steps // ENVS),
        "disable_progressbar": True,
        "headless": True,
    }
    SequentialTrainer(env=env, agents=agent, cfg=settings).train()
    env.close()
    print(f"score {before:.3f} before training, {mean_score(ID, act):.3f} after")


if __name__ == "__main__":
    run(main)
