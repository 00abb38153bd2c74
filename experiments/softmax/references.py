"""Reference scores of the adaptive softmax."""

from typing import Any

import gymnasium as gym

from agents.tables import BASELINES
from experiments.scores import mean_score
from hardware_sim.naming import resolve

EPISODES = 200
TEST = {"split": "test"}


def references(env_id: str) -> dict[str, Any]:
    """Share of the best possible speed-up that chance, guesses and searches reach."""
    env = gym.make(f"envs:{env_id}")
    how = f"mean of {EPISODES} episodes of the split test"
    scores = {
        "random": (
            mean_score(env, "random", EPISODES, TEST),
            f"uniform over the legal actions, {how}",
        )
    }
    for name in ("guess", "coverage", "greedy", "random-search", "annealing"):
        module = resolve(BASELINES["softmax"][name], "agent")
        source = (module.__doc__ or "").partition("\n")[0].rstrip(".")
        if hasattr(module, "evaluations"):
            source += f", {module.evaluations} evaluations"
        scores[name] = mean_score(env, name, EPISODES, TEST), f"{source}, {how}"
    env.close()
    table = {name: {"score": score, "source": src} for name, (score, src) in scores.items()}
    table["bound"] = {"score": 1.0, "source": "the exact optimum, by dynamic programming"}
    best = max(scores, key=lambda name: scores[name][0])
    source = f"the best of the others, {best}: {table[best]['source']}"
    reference = {"score": scores[best][0], "source": source}
    return {"unit": "of optimum", "better": "higher", "reference": reference, **table}
