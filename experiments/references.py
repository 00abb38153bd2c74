"""Computes the reference scores of ids: ``python -m experiments.references [ID ...]``."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer
from rich.progress import track

from agents.agent import Agent
from agents.loading import load_agent
from agents.placement import heuristics
from agents.placement.search import annealing, makespans
from agents.rollout import ending
from agents.tables import BASELINES
from envs.convolution.env import ConvTuningEnv
from envs.placement.env import DevicePlacementEnv
from envs.registration import ENTRIES
from hardware_sim.bounds import lower_bound
from hardware_sim.errors import choose
from hardware_sim.files import write_json
from hardware_sim.naming import resolve
from hardware_sim.problem import PlacementProblem

RANDOM_PLACEMENTS = 1_000
ANNEALING_EVALUATIONS = 20_000
ANNEALING_SEEDS = range(5)
WEB_EPISODES = 200
LOOP_EPISODES = 100
SOFTMAX_EPISODES = 200
COMPACT_EPISODES = 1_000
TUNING_SEEDS = range(10)
DANCE_EPISODES = 50


def placement_references(problem: PlacementProblem) -> dict[str, dict[str, Any]]:
    """Reference scores of one problem, each ``{"score": seconds, "source": text}``."""
    rng = np.random.default_rng(0)
    random = rng.integers(problem.num_devices, size=(RANDOM_PLACEMENTS, problem.num_groups))
    annealed = [
        annealing(problem, ANNEALING_EVALUATIONS, seed).makespan_s for seed in ANNEALING_SEEDS
    ]
    scores = {
        "random": (
            makespans(problem, random).mean(),
            f"mean of {RANDOM_PLACEMENTS} uniform placements",
        ),
        "annealing": (
            np.mean(annealed),
            f"simulated annealing, {ANNEALING_EVALUATIONS} evaluations, "
            f"mean of {len(ANNEALING_SEEDS)} seeds",
        ),
        "bound": (lower_bound(problem).value_s, "proven lower bound (hardware_sim.bounds)"),
        "single-device": (problem.single_device_s, "everything on the fastest device"),
    }
    for name, plan in (
        ("expert", heuristics.expert),
        ("heft", heuristics.heft),
        ("etf", heuristics.etf),
        ("min-cut", heuristics.min_cut),
    ):
        score = makespans(problem, plan(problem)[None])[0]
        scores[name] = score, (plan.__doc__ or "").partition("\n")[0].rstrip(".")
    table = {name: {"score": float(score), "source": src} for name, (score, src) in scores.items()}
    best = min(scores.keys() - {"bound"}, key=lambda name: float(scores[name][0]))
    source = f"the best of the others, {best}: {table[best]['source']}"
    return {"reference": {"score": table[best]["score"], "source": source}, **table}


def placement_entry(env_id: str) -> dict[str, Any]:
    """The table's entry of a placement id; scores of several graphs are averaged."""
    env = gym.make(f"envs:{env_id}")
    placement = env.unwrapped
    assert isinstance(placement, DevicePlacementEnv)
    tables = [placement_references(graph.problem) for graph in placement.core.graphs]
    env.close()
    merged = {
        name: {
            "score": float(np.mean([table[name]["score"] for table in tables])),
            "source": tables[0][name]["source"],
        }
        for name in tables[0]
    }
    return {"unit": "s", "better": "lower", **merged}


def web_references(env_id: str) -> dict[str, Any]:
    """Agreement of random and scripted behaviour with the human's answers, on held-out ones."""
    env = gym.make(f"envs:{env_id}", backend="twin")
    random, expert = (
        _mean_score(env, name, WEB_EPISODES, {"split": "test"}) for name in ("random", "expert")
    )
    env.close()
    told = f"mean of {WEB_EPISODES} episodes of the split test in the twin"
    return {
        "unit": "agreement",
        "better": "higher",
        "reference": {"score": expert, "source": f"the scripted expert, {told}"},
        "random": {"score": random, "source": f"uniform over the legal actions, {told}"},
        "bound": {"score": 1.0, "source": "the human's own answer"},
    }


def loops_references(env_id: str) -> dict[str, Any]:
    """Rates of random behaviour and of every baseline on held-out problems, and the roofline."""
    env = gym.make(f"envs:{env_id}")
    told = f"mean of {LOOP_EPISODES} episodes of the split test"
    table: dict[str, dict[str, Any]] = {}
    for name in ("random", *BASELINES["loops"]):
        agent = load_agent(name, env)
        ends = [
            ending(env, agent, seed, options={"split": "test"}).info
            for seed in range(LOOP_EPISODES)
        ]
        described = (type(agent).__doc__ or "").partition("\n")[0].rstrip(".")
        table[name] = {
            "score": float(np.mean([end["score"] for end in ends])),
            "source": f"{described}, {told}",
        }
        bound = float(np.mean([end["roofline"] for end in ends]))
    env.close()
    best = max(table, key=lambda name: float(table[name]["score"]))
    source = f"the best of the others, {best}: {table[best]['source']}"
    return {
        "unit": "GFLOP/s",
        "better": "higher",
        "reference": {"score": table[best]["score"], "source": source},
        **table,
        "bound": {"score": bound, "source": "roofline: peak rate, every byte loaded once"},
    }


def compact_references(env_id: str) -> dict[str, Any]:
    """Mean scores of plans by the replay table; the best of all is known by enumeration."""
    env = gym.make(f"envs:{env_id}")
    told = f"mean of {COMPACT_EPISODES} episodes"
    sources = {
        "reference": f"the best choice by enumeration of the table, {told}",
        "random": f"uniform over the legal choices, {told}",
        "uniform": f"the best share that is the same for every map, {told}",
        "greedy": f"the cut that gains most, again and again, {told}",
        "bound": f"the best choice by enumeration of the table, {told}",
    }
    agents = {"reference": "oracle", "bound": "oracle"}
    table = {
        name: {
            "score": _mean_score(env, agents.get(name, name), COMPACT_EPISODES),
            "source": source,
        }
        for name, source in sources.items()
    }
    env.close()
    return {"unit": "doublings", "better": "higher", **table}


def _mean_score(
    env: gym.Env[Any, Any], name: str, episodes: int, options: dict[str, Any] | None = None
) -> float:
    """An agent's mean score over episodes with the seeds from 0."""
    agent = load_agent(name, env)
    ends = [ending(env, agent, seed, options=options) for seed in range(episodes)]
    return float(np.mean([end.info["score"] for end in ends]))


def softmax_references(env_id: str) -> dict[str, Any]:
    """Share of the best possible speed-up that chance, guesses and searches reach."""
    env = gym.make(f"envs:{env_id}")
    told = f"mean of {SOFTMAX_EPISODES} episodes"
    scores = {
        "random": (
            _mean_score(env, "random", SOFTMAX_EPISODES),
            f"uniform over the legal actions, {told}",
        )
    }
    for name in ("guess", "coverage", "greedy", "random-search", "annealing"):
        module = resolve(BASELINES["softmax"][name], "agent")
        source = (module.__doc__ or "").partition("\n")[0].rstrip(".")
        if hasattr(module, "evaluations"):
            source += f", {module.evaluations} evaluations"
        scores[name] = _mean_score(env, name, SOFTMAX_EPISODES), f"{source}, {told}"
    env.close()
    table = {name: {"score": score, "source": src} for name, (score, src) in scores.items()}
    table["bound"] = {"score": 1.0, "source": "the exact optimum, by dynamic programming"}
    best = max(scores, key=lambda name: scores[name][0])
    source = f"the best of the others, {best}: {table[best]['source']}"
    reference = {"score": scores[best][0], "source": source}
    return {"unit": "of optimum", "better": "higher", "reference": reference, **table}


def tuning_references(env_id: str) -> dict[str, Any]:
    """Speed-ups over oneDNN that searches reach within an episode's measurements."""
    env = gym.make(f"envs:{env_id}")
    tuning = env.unwrapped
    assert isinstance(tuning, ConvTuningEnv)
    core = tuning.core
    drawn = [table.name for table in core.tables if core.split in ("all", table.split)]
    scores = {
        name: float(np.mean([_tuned(env, load_agent(name, env), layer) for layer in drawn]))
        for name in ("random", "greedy", "annealing", "roofline", "oracle")
    }
    env.close()
    budget = core.settings.budget
    sources = {
        "random": "uniform over the legal choices",
        "greedy": "coordinate descent from the defaults",
        "annealing": "simulated annealing",
        "roofline": "variants in the order of the analytic model",
        "oracle": "the best variant in the table",
    }
    told = f"{budget} measurements, mean of {len(TUNING_SEEDS)} seeds a layer"
    bound = scores.pop("oracle")
    table = {
        name: {"score": score, "source": f"{sources[name]}, {told}"}
        for name, score in scores.items()
    }
    best = max(sorted(scores.keys() - {"random"}), key=lambda name: scores[name])
    source = f"the best of the others, {best}: {table[best]['source']}"
    reference = {"score": scores[best], "source": source}
    return {
        "unit": "times oneDNN",
        "better": "higher",
        "reference": reference,
        **table,
        "bound": {"score": bound, "source": sources["oracle"]},
    }


def _tuned(env: gym.Env[Any, Any], agent: Agent, layer: str) -> float:
    """The mean score of episodes on a layer."""
    ends = [ending(env, agent, seed, options={"layer": layer}) for seed in TUNING_SEEDS]
    return float(np.mean([end.info["score"] for end in ends]))


def dance_references(env_id: str) -> dict[str, Any]:
    """Nats a time, or F1 of times, that chance, rules and the supervised policy reach."""
    env = gym.make(f"envs:{env_id}", split="test")
    told = f"mean of {DANCE_EPISODES} episodes on held-out songs"
    sources = {
        "random": "uniform over the legal rows",
        "rules": "steps where the onset critic finds them likeliest, feet that take turns",
        "cloned": "drawn from the supervised critics",
    }
    scores = {name: _mean_score(env, name, DANCE_EPISODES) for name in sources}
    env.close()
    table = {
        name: {"score": scores[name], "source": f"{source}, {told}"}
        for name, source in sources.items()
    }
    best = max(("rules", "cloned"), key=lambda name: scores[name])
    reference = table[best] | {"source": f"the best of the others, {best}: {table[best]['source']}"}
    unit = "F1" if env_id.startswith("StepPlacement") else "nats a time"
    return {"unit": unit, "better": "higher", "reference": reference, **table}


REFERENCES = {
    "dance": dance_references,
    "placement": placement_entry,
    "loops": loops_references,
    "softmax": softmax_references,
    "compact": compact_references,
    "convolution": tuning_references,
    "web": web_references,
}


def main(ids: Annotated[list[str] | None, typer.Argument(help="All by default.")] = None) -> None:
    """Writes the scores of ids into ``envs/references.json``."""
    path = str(files("envs").joinpath("references.json"))
    table = json.loads(Path(path).read_text())
    chosen = [choose("environment", env_id, list(ENTRIES)) for env_id in ids or ENTRIES]
    for env_id in track(chosen, "references"):
        table[env_id] = REFERENCES[ENTRIES[env_id].domain](env_id)
    write_json(path, {env_id: table[env_id] for env_id in ENTRIES})


if __name__ == "__main__":
    typer.run(main)
