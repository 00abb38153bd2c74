"""Reference scores of the thermostat."""

from typing import Any

import gymnasium as gym

from experiments.scores import mean_score

EPISODES = 100


def references(env_id: str) -> dict[str, Any]:
    """Mean deviation in kelvin by chance and by the heuristic."""
    env = gym.make(f"envs:{env_id}")
    sources = {"random": "uniform over the legal actions", "hysteresis": "full power below target"}
    table = {
        name: {"score": mean_score(env, name, EPISODES), "source": f"{source}, {EPISODES} episodes"}
        for name, source in sources.items()
    }
    env.close()
    return {"unit": "K", "better": "lower", "reference": table["hysteresis"], **table}
