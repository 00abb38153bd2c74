"""Reference scores of dance charts."""

from typing import Any

import gymnasium as gym
import numpy as np

from envs.dance.env import DanceEnv
from experiments.scores import floor, scores, table

EPISODES = 10
"""Of random play on each held-out song and level; the floor draws as many anew."""

FEWER_OF_CLONED = 2
"""Where songs are gone through slot by slot, which takes the supervised policy half a minute."""

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
    slots = not env_id.startswith("StepSelection")
    counts = {"random": EPISODES, "rules": 1, "cloned": FEWER_OF_CLONED if slots else EPISODES}
    played = {
        agent: {
            name: scores(env, agent, range(counts[agent]), options)
            for name, options in problems.items()
        }
        for agent in SOURCES
    }
    floors = {
        name: floor(env, "higher", options, FLOOR_SEEDS) for name, options in problems.items()
    }
    env.close()
    how = "of each held-out song and level, episodes:"
    sources = {name: f"{source}, mean {how} {counts[name]}" for name, source in SOURCES.items()}
    by_times = env_id.startswith("StepPlacement")
    bounds = dict.fromkeys(problems, 1.0) if by_times else None
    unit = "F1" if by_times else "nats a time"
    proof = "every step of the human chart found, and no other"
    return table(unit, "higher", sources, played, floors, ("rules", "cloned"), bounds, proof)
