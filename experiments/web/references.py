"""Reference scores of the web."""

from typing import Any

import gymnasium as gym

from experiments.scores import mean_score

EPISODES = 200


def references(env_id: str) -> dict[str, Any]:
    """Agreement of random and scripted behaviour with the human's answers, on held-out ones."""
    env = gym.make(f"envs:{env_id}", backend="twin")
    random, expert = (
        mean_score(env, name, EPISODES, {"split": "test"}) for name in ("random", "expert")
    )
    env.close()
    how = f"mean of {EPISODES} episodes of the split test in the twin"
    return {
        "unit": "agreement",
        "better": "higher",
        "reference": {"score": expert, "source": f"the scripted expert, {how}"},
        "random": {"score": random, "source": f"uniform over the legal actions, {how}"},
        "bound": {"score": 1.0, "source": "the human's own answer"},
    }
