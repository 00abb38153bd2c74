"""Reference scores of dance charts."""

from typing import Any

import gymnasium as gym
import numpy as np

from envs.dance.env import DanceEnv
from experiments.scores import floor, scores, table

EPISODES = 10
"""Of each held-out song and level; random play, which the floor draws anew, has as many."""

FLOOR_SEEDS = range(5_000, 5_000 + EPISODES)

SOURCES = {
    "random": "uniform over the legal rows",
    "rules": "steps where the onset critic finds them likeliest, feet that take turns",
    "cloned": "drawn from the supervised critics",
}


def references(env_id: str) -> dict[str, Any]:
    """Nats a time, or F1 of times, that chance, rules and the supervised policy reach."""
    env = gym.make(f"envs:{env_id}", split="test")
    dance = env.unwrapped
    assert isinstance(dance, DanceEnv)
    episodes = dance.core.episodes
    problems = {}
    for number in np.flatnonzero(np.array(episodes.split) == "test").tolist():
        named = episodes.named(number)
        problems["{song}, {level}".format(**named)] = named
    played = {
        agent: {
            name: scores(env, agent, range(1 if agent == "rules" else EPISODES), options)
            for name, options in problems.items()
        }
        for agent in SOURCES
    }
    floors = {
        name: floor(env, "higher", options, FLOOR_SEEDS) for name, options in problems.items()
    }
    env.close()
    how = f"mean of {EPISODES} episodes of each held-out song and level"
    sources = {name: f"{source}, {how}" for name, source in SOURCES.items()}
    by_times = env_id.startswith("StepPlacement")
    bounds = dict.fromkeys(problems, 1.0) if by_times else None
    unit = "F1" if by_times else "nats a time"
    proof = "every step of the human chart found, and no other"
    return table(unit, "higher", sources, played, floors, ("rules", "cloned"), bounds, proof)
