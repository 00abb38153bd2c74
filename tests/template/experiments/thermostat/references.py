"""Reference scores of the thermostat."""

from typing import Any

import gymnasium as gym
from envs.thermostat.core import WEATHER

from experiments.scores import FLOOR_SEEDS, floor, scores, table

EPISODES = 50
SOURCES = {"random": "uniform over the legal actions", "hysteresis": "full power below target"}


def references(env_id: str) -> dict[str, Any]:
    """Mean deviation in kelvin by naive play and by the heuristic, in each weather."""
    env = gym.make(f"envs:{env_id}")
    problems = {name: {"weather": name} for name in WEATHER}
    played = {
        agent: {
            name: scores(env, agent, range(EPISODES), options) for name, options in problems.items()
        }
        for agent in SOURCES
    }
    floors = {
        name: floor(env, "lower", options, FLOOR_SEEDS, FLOOR_SEEDS)
        for name, options in problems.items()
    }
    env.close()
    sources = {name: f"{source}, {EPISODES} episodes a weather" for name, source in SOURCES.items()}
    bounds = dict.fromkeys(problems, 0.0)
    return table("K", "lower", sources, played, floors, ["hysteresis"], bounds, "no deviation")
