"""PPO of TorchRL with masks: ``python -m experiments.examples.torchrl_masked``."""

from typing import Any

import gymnasium as gym
import torch
from tensordict import TensorDict
from tensordict.nn import TensorDictModule
from torch import Tensor, nn
from torchrl.collectors import Collector
from torchrl.envs import ActionMask, Compose, DTypeCastTransform, GymWrapper, TransformedEnv
from torchrl.modules import MaskedCategorical, ProbabilisticActor, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

from experiments.examples.scoring import mean_score
from hardware_sim.commands import run

ID = "envs:CompactFeature-v0"
ROLLOUT, EPOCHS, MINIBATCH = 512, 4, 128


def make(env_id: str) -> Any:
    """An environment of TorchRL, whose random actions are legal.

    TorchRL wants masks of bool, and for a MultiDiscrete space, whose masks lie one after the other,
    actions as numbers instead of one-hot vectors.
    """
    env = GymWrapper(gym.make(env_id), categorical_action_encoding=True)
    cast = DTypeCastTransform(torch.int8, torch.bool, in_keys=["action_mask"])
    return TransformedEnv(env, Compose(cast, ActionMask()))


class Network(nn.Module):
    """Outputs for the entries of an observation, which are flattened and joined."""

    def __init__(self, shapes: list[tuple[int, ...]], outputs: int) -> None:
        super().__init__()
        self.axes = [len(shape) for shape in shapes]
        width = sum(torch.Size(shape).numel() for shape in shapes)
        self.layers = nn.Sequential(nn.Linear(width, 128), nn.Tanh(), nn.Linear(128, outputs))

    def forward(self, *parts: Tensor) -> Tensor:
        """The outputs, ``(..., outputs)``."""
        pairs = zip(parts, self.axes, strict=True)
        joined = torch.cat([part.float().flatten(part.ndim - axes) for part, axes in pairs], -1)
        found: Tensor = self.layers(joined)
        return found


def main(steps: int = 15_000) -> None:
    """Trains and prints scores before and after."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # networks this small only wait for each other on more
    env = make(ID)
    entries = env.base_env._env.observation_space
    names = [name for name in entries if name != "action_mask"]
    shapes = [entries[name].shape for name in names]
    logits = Network(shapes, env.base_env._env.action_space.n)
    actor = ProbabilisticActor(
        TensorDictModule(logits, in_keys=names, out_keys=["logits"]),
        in_keys={"logits": "logits", "mask": "action_mask"},
        distribution_class=MaskedCategorical,
        spec=env.action_spec,
        return_log_prob=True,
    )
    critic = ValueOperator(Network(shapes, 1), in_keys=names)
    advantage = GAE(gamma=1.0, lmbda=1.0, value_network=critic)
    loss = ClipPPOLoss(actor, critic, entropy_coeff=0.003)
    optimiser = torch.optim.Adam(loss.parameters(), lr=1e-3)

    def act(observation: Any) -> int:
        parts = {name: torch.as_tensor(part) for name, part in observation.items()}
        parts["action_mask"] = parts["action_mask"].bool()
        with torch.no_grad():
            return int(actor.get_dist(TensorDict(parts)).mode)

    before = mean_score(ID, act)
    collector = Collector(env, actor, frames_per_batch=min(ROLLOUT, steps), total_frames=steps)
    for batch in collector:
        with torch.no_grad():
            advantage(batch)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(batch)).split(MINIBATCH):
                losses = loss(batch[rows])
                optimiser.zero_grad()
                sum(part for name, part in losses.items() if name.startswith("loss_")).backward()
                optimiser.step()
    collector.shutdown()
    print(f"score {before:.3f} before training, {mean_score(ID, act):.3f} after")


if __name__ == "__main__":
    run(main)
