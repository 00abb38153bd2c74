"""Clones an expert from a Minari data set: ``python -m experiments.examples.minari_cloning``."""

import os
import tempfile
from typing import Any

import gymnasium as gym
import minari
import numpy as np
import torch
from minari.data_collector import EpisodeBuffer
from torch import nn

from agents.algorithms.imitation import Records, fit, greedy, uniform
from agents.loading import load_agent
from agents.policies.flat import FlatExtractor
from agents.rollout import rollout
from experiments.examples.scoring import mean_score
from hardware_sim.commands import run

ID = "envs:AdaptiveSoftmax-v0"
EPISODES = 400


def record(episodes: int) -> Any:
    """A data set of so many episodes of an expert."""
    env = gym.make(ID)
    expert, buffers = load_agent("greedy", env), []
    for number in range(episodes):
        seed = 1_000_000 + number  # seeds of training; those of judging are below
        first, *rest = rollout(env, expert, seed)
        observations = [moment.observation for moment in (first, *rest)]
        buffers.append(
            EpisodeBuffer(
                id=number,
                seed=seed,
                observations={
                    name: np.stack([each[name] for each in observations]) for name in first[0]
                },
                actions=[moment.action for moment in rest],
                rewards=[moment.reward for moment in rest],
                terminations=[moment.terminated for moment in rest],
                truncations=[moment.truncated for moment in rest],
            )
        )
    dataset = minari.create_dataset_from_buffers(
        "gymworks/softmax-greedy-v0",
        buffers,
        env=env,
        algorithm_name="greedy",
        data_format="arrow",
    )
    env.close()
    return dataset


def main(steps: int = 1_500) -> None:
    """Records an expert, fits a network in so many steps and prints scores before and after."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # networks this small only wait for each other on more
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MINARI_DATASETS_PATH"] = folder
        episodes = [*record(min(EPISODES, steps)).iterate_episodes()]
    observations = {  # an episode's last observation has no action
        name: np.concatenate([each.observations[name][:-1] for each in episodes])
        for name in episodes[0].observations
    }
    records = Records(observations, np.concatenate([each.actions for each in episodes]))
    env = gym.make(ID)
    extractor = FlatExtractor(env.observation_space)
    options = env.observation_space["action_mask"].shape[0]  # type: ignore[index]
    network = nn.Sequential(extractor, nn.Linear(extractor.features_dim, options))
    clone = greedy(network, env.action_space)

    def act(observation: Any) -> Any:
        return clone({name: part[None] for name, part in observation.items()})[0]

    before = mean_score(ID, act)
    fit(network, env.action_space, uniform(records), steps, rate=3e-3, seed=0)
    env.close()
    print(f"score {before:.3f} before training, {mean_score(ID, act):.3f} after")


if __name__ == "__main__":
    run(main)
