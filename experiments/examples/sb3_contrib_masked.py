"""Masked PPO of sb3-contrib: ``python -m experiments.examples.sb3_contrib_masked``."""

from typing import Any

import gymnasium as gym
import torch
from sb3_contrib import MaskablePPO

from agents.engines.vec_adapter import NativeVecEnv
from experiments.examples.scoring import mean_score
from hardware_sim.commands import run

ID = "envs:AdaptiveSoftmax-v0"


def main(steps: int = 30_000) -> None:
    """Trains and prints scores before and after."""
    torch.set_num_threads(1)  # networks this small only wait for each other on more
    # The masks of a MultiDiscrete space lie one after the other, as sb3-contrib wants them;
    # it calls action_masks() of the environment in training.
    env = NativeVecEnv(gym.make_vec(ID, num_envs=32), seed=0)
    model = MaskablePPO(
        "MultiInputPolicy",
        env,
        n_steps=32,
        batch_size=256,
        learning_rate=1e-3,
        gamma=1.0,
        gae_lambda=1.0,
        seed=0,
        device="cpu",
    )

    def act(observation: Any) -> Any:
        mask = observation["action_mask"].astype(bool)
        return model.predict(observation, deterministic=True, action_masks=mask)[0]

    before = mean_score(ID, act)
    model.learn(steps)
    env.close()
    print(f"score {before:.3f} before training, {mean_score(ID, act):.3f} after")


if __name__ == "__main__":
    run(main)
