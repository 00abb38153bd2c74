"""PPO in one file, as CleanRL has it: ``python -m experiments.examples.cleanrl_ppo``."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn

from agents.policies.flat import FlatExtractor
from agents.policies.masked import MaskedCategorical
from experiments.examples.scoring import mean_score
from hardware_sim.commands import run

ID = "envs:CompactFeature-v0"
ENVS, ROLLOUT, EPOCHS, MINIBATCHES = 32, 32, 4, 4
RATE, CLIP, ENTROPY, VALUE, LARGEST_NORM = 1e-3, 0.2, 0.003, 0.5, 0.5


class Agent(nn.Module):
    """Policy and value on a common encoding of the observation."""

    def __init__(self, observations: gym.spaces.Dict, actions: int) -> None:
        super().__init__()
        self.encode = FlatExtractor(observations)
        self.policy = nn.Linear(self.encode.features_dim, actions)
        self.value = nn.Linear(self.encode.features_dim, 1)

    def forward(self, observation: dict[str, Tensor]) -> tuple[MaskedCategorical, Tensor]:
        """The distribution of the legal actions, and the value of the state."""
        features = self.encode(observation)
        legal = MaskedCategorical(self.policy(features), observation["action_mask"])
        return legal, self.value(features).squeeze(-1)


def tensors(observation: dict[str, Any]) -> dict[str, Tensor]:
    """An observation as tensors."""
    return {name: torch.as_tensor(part) for name, part in observation.items()}


def main(steps: int = 30_000) -> None:
    """Trains and prints scores before and after."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # networks this small only wait for each other on more
    env = gym.make_vec(ID, num_envs=ENVS)
    agent = Agent(env.single_observation_space, env.single_action_space.n)  # type: ignore
    optimiser = torch.optim.Adam(agent.parameters(), lr=RATE, eps=1e-5)

    def act(observation: Any) -> int:
        batch = {name: part[None] for name, part in tensors(observation).items()}
        with torch.no_grad():
            return int(agent(batch)[0].mode())

    before = mean_score(ID, act)
    observation, _ = env.reset(seed=0)
    ended = np.zeros(ENVS, np.bool_)  # the next step of these begins an episode
    for _ in range(max(1, steps // (ENVS * ROLLOUT))):
        seen, taken, logs, values, rewards, ends, skipped = ([] for _ in range(7))
        for _ in range(ROLLOUT):
            with torch.no_grad():
                policy, value = agent(tensors(observation))
            action = policy.sample()
            seen.append(tensors(observation))
            skipped.append(torch.as_tensor(ended))  # NEXT_STEP: the action after an end is ignored
            observation, reward, terminated, truncated, _ = env.step(action.numpy())
            ended = terminated | truncated
            taken.append(action)
            logs.append(policy.log_prob(action))
            values.append(value)
            rewards.append(torch.as_tensor(reward, dtype=torch.float32))
            ends.append(torch.as_tensor(ended))
        # Undiscounted returns to the end of the episode; what is open counts its value.
        with torch.no_grad():
            following = agent(tensors(observation))[1]
        returns = []
        for reward, end in zip(reversed(rewards), reversed(ends), strict=True):
            following = reward + torch.where(end, 0.0, following)
            returns.append(following)
        kept = ~torch.stack(skipped).flatten()
        batch = {name: torch.cat([part[name] for part in seen])[kept] for name in seen[0]}
        action, old, value = (torch.cat(part)[kept] for part in (taken, logs, values))
        target = torch.cat(returns[::-1])[kept]
        advantage = target - value
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(action)).chunk(MINIBATCHES):
                policy, value = agent({name: part[rows] for name, part in batch.items()})
                ratio = (policy.log_prob(action[rows]) - old[rows]).exp()
                gain = torch.min(
                    ratio * advantage[rows], ratio.clamp(1 - CLIP, 1 + CLIP) * advantage[rows]
                )
                error = nn.functional.mse_loss(value, target[rows])
                loss = -gain.mean() - ENTROPY * policy.entropy().mean() + VALUE * error
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), LARGEST_NORM)
                optimiser.step()
    env.close()
    print(f"score {before:.3f} before training, {mean_score(ID, act):.3f} after")


if __name__ == "__main__":
    run(main)
