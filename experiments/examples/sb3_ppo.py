"""PPO of Stable-Baselines3 on a native vector class: ``python -m experiments.examples.sb3_ppo``."""

from typing import Any

import gymnasium as gym
import torch
from stable_baselines3 import PPO

from agents.engines.vec_adapter import NativeVecEnv
from experiments.examples.scoring import mean_score
from hardware_sim.commands import run

ID = "envs:CompactFeature-v0"


def main(steps: int = 30_000) -> None:
    """Trains and prints scores before and after."""
    torch.set_num_threads(1)  # networks this small only wait for each other on more
    # One object that steps 32 episodes in arrays, instead of 32 environments.
    env = NativeVecEnv(gym.make_vec(ID, num_envs=32), seed=0)
    model = PPO(
        "MultiInputPolicy",  # flattens each entry of the Dict observation and joins them
        env,
        n_steps=32,
        batch_size=256,
        learning_rate=1e-3,
        gamma=1.0,
        gae_lambda=1.0,
        ent_coef=0.003,
        seed=0,
        device="cpu",
    )

    def act(observation: Any) -> Any:
        return model.predict(observation, deterministic=True)[0]

    before = mean_score(ID, act)
    model.learn(steps)
    env.close()
    print(f"score {before:.3f} before training, {mean_score(ID, act):.3f} after")


if __name__ == "__main__":
    run(main)
