"""Reference scores of the adaptive softmax."""

from typing import Any

import gymnasium as gym

from agents.tables import BASELINES
from envs.softmax.env import AdaptiveSoftmaxEnv
from experiments.scores import floor, scores, table
from hardware_sim.naming import resolve

EPISODES = 17
"""Of each of the 12 problems of the split test: about 200 in all."""

AGENTS = ("guess", "coverage", "greedy", "random-search", "annealing")


def references(env_id: str) -> dict[str, Any]:
    """Share of the best possible speed-up that chance, guesses and searches reach."""
    env = gym.make(f"envs:{env_id}")
    softmax = env.unwrapped
    assert isinstance(softmax, AdaptiveSoftmaxEnv)
    tables = softmax.core.tables
    problems = {tables.names[k]: {"problem": tables.names[k]} for k in tables.rows["test"]}
    how = f"mean of {EPISODES} episodes of each problem of the split test"
    sources = {"random": f"uniform over the legal actions, {how}"}
    for name in AGENTS:
        module = resolve(BASELINES["softmax"][name], "agent")
        source = (module.__doc__ or "").partition("\n")[0].rstrip(".")
        if hasattr(module, "evaluations"):
            source += f", {module.evaluations} evaluations"
        sources[name] = f"{source}, {how}"
    played = {
        agent: {
            name: scores(env, agent, range(EPISODES), options) for name, options in problems.items()
        }
        for agent in sources
    }
    floors = {name: floor(env, "higher", options) for name, options in problems.items()}
    env.close()
    bounds = dict.fromkeys(problems, 1.0)
    proof = "the exact optimum, by dynamic programming"
    return table("of optimum", "higher", sources, played, floors, AGENTS, bounds, proof)
