"""Plays one episode at random and prints its trajectory's digest, for the tests beside it."""

import hashlib

import gymnasium as gym
import numpy as np


def main() -> None:
    """Prints the number of steps, the last reward and the digest of all observations."""
    env = gym.make("envs:DevicePlacement-InceptionV3-v0")
    observation, _ = env.reset(seed=0)
    random, digest = np.random.default_rng(0), hashlib.sha256()
    steps, reward, over = 0, 0.0, False
    while not over:
        action = int(random.choice(np.flatnonzero(observation["action_mask"])))
        observation, reward, terminated, truncated, _ = env.step(action)
        for key in sorted(observation):
            digest.update(np.ascontiguousarray(observation[key]).tobytes())
        steps, over = steps + 1, terminated or truncated
    print(steps, reward, digest.hexdigest())


if __name__ == "__main__":
    main()
