"""The RLlib engine: for clusters, sweeps, demonstrations and teams of agents."""

import os
import time
import warnings
from functools import partial
from typing import Any

import gymnasium as gym
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.utils.metrics import (
    ALL_MODULES,
    ENV_RUNNER_RESULTS,
    LEARNER_RESULTS,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
    NUM_MODULE_STEPS_TRAINED_LIFETIME,
)

from agents.agent import Agent
from agents.engines import rllib_checkpoint as checkpoint
from agents.engines.base import EpisodeTracker, Progress, Report, TrainConfig
from agents.engines.rllib_agent import ModuleAgent, TeamAgent
from agents.engines.rllib_callbacks import EPISODES
from agents.engines.rllib_config import (
    ALGORITHMS,
    OFFLINE,
    build,
    hyperparameters,
    networks_of,
)
from agents.engines.rllib_session import quiet, session
from agents.engines.teams import policies
from agents.runs import Run
from hardware_sim.errors import InputError, choose

__all__ = ["ALGORITHMS", "load", "train"]

LOSSES = ("policy_loss", "vf_loss", "entropy", "mean_kl_loss", "qf_loss", "total_loss")
"""RLlib's learner statistics that ``metrics.csv`` keeps, averaged over policies."""


def train(config: TrainConfig, run: Run, report: Report) -> None:
    """Trains, continuing from the run's newest readable checkpoint if there is one.

    For ``bc`` and ``marwil`` a step is a demonstrated transition that was learned from.

    Args:
        config: What to train; ``address`` names a Ray cluster, otherwise this machine is used.
        run: Receives metrics, checkpoints and the best episode.
        report: Called after each iteration.

    Raises:
        InputError: The configuration cannot be trained (see ``rllib_config.build``), no checkpoint
            is readable, or the disk is full.
    """
    choose("algorithm of engine rllib", config.algo, list(ALGORITHMS))
    quiet()
    runners = hyperparameters(config).get("num_env_runners", 0)
    if not isinstance(runners, int) or runners < 0:
        raise InputError(f"num_env_runners is {runners!r}; allowed: 0 or more")
    # With fewer CPUs than processes Ray would wait for ever.
    processors = max(1 + runners, os.cpu_count() or 1)
    with session(config.address, processors), warnings.catch_warnings():
        # RLlib registers an environment of the same name for each algorithm of a process.
        warnings.filterwarnings("ignore", "(?s).*Overriding environment rllib-")
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        algorithm, step = _started(config, run)
        try:
            _iterate(algorithm, config, run, report, step)
        finally:
            algorithm.stop()


def _started(config: TrainConfig, run: Run) -> tuple[Algorithm, int]:
    """The algorithm, restored if the run has a checkpoint, and the steps it has behind it."""
    found = run.read_newest(checkpoint.read)
    step = Run.checkpoint_step(found[0]) if found else 0
    run.rewind(step)
    algorithm = build(config, step).build_algo()
    if found:
        try:
            checkpoint.restore(algorithm, found[1])
        except InputError:
            algorithm.stop()
            raise
    return algorithm, step


def _iterate(
    algorithm: Algorithm, config: TrainConfig, run: Run, report: Report, step: int
) -> None:
    tracker = EpisodeTracker(run, config.env_id)
    rows = run.metrics()
    seconds_before = rows[-1]["seconds"] if rows else 0.0
    tracker.episodes = int(rows[-1]["episodes"]) if rows else 0
    begun, start, saved = time.perf_counter(), step, step
    # What the runners count goes on after a restore, and learned transitions begin anew.
    uncounted = step if config.algo in OFFLINE else 0

    def keep() -> None:
        checkpoint.save(algorithm, run, step, config.algo, networks_of(config))
        run.mark_best(step, tracker.quality())
        run.prune()
        tracker.save()

    try:
        while step < config.steps:
            result = algorithm.train()
            progressed = uncounted + _steps(result, config.algo)
            if progressed <= step:
                # An asynchronous algorithm may return before a batch is complete.
                continue
            step = progressed
            for episode in result.get(ENV_RUNNER_RESULTS, {}).get(EPISODES, ()):
                tracker.record(
                    episode["seed"],
                    partial(episode.__getitem__, "actions"),
                    episode["return"],
                    episode["score"],
                )
            elapsed = time.perf_counter() - begun
            rate = (step - start) / elapsed
            row = tracker.metrics() | _losses(result) | {"steps_per_second": rate}
            run.append_metrics(row | {"step": step, "seconds": seconds_before + elapsed})
            if step - saved >= config.checkpoint_every or step >= config.steps:
                keep()
                saved = step
            report(Progress(step, config.steps, rate, row))
    except KeyboardInterrupt:
        if step > saved:
            keep()
        raise


def _steps(result: dict[str, Any], algo: str) -> int:
    """Environment steps sampled, or demonstrated ones learned from, as RLlib counts."""
    if algo not in OFFLINE:
        return int(result[NUM_ENV_STEPS_SAMPLED_LIFETIME])
    modules = result.get(LEARNER_RESULTS, {})
    return int(modules.get(ALL_MODULES, {}).get(NUM_MODULE_STEPS_TRAINED_LIFETIME, 0))


def _losses(result: dict[str, Any]) -> dict[str, float]:
    modules = result.get(LEARNER_RESULTS, {})
    found: dict[str, list[float]] = {}
    for name, values in modules.items():
        if name != ALL_MODULES:
            for loss in LOSSES:
                if loss in values:
                    found.setdefault(loss, []).append(float(values[loss]))
    return {loss: sum(values) / len(values) for loss, values in found.items()}


def load(run: Run, env: gym.Env[Any, Any], deterministic: bool = True) -> Agent:
    """The agent of the run's best checkpoint; it acts without a Ray session.

    Args:
        run: A run of this engine.
        env: The environment it will act in, or the team's.
        deterministic: It takes the most probable action rather than a sampled one.

    Raises:
        InputError: The run has no readable checkpoint, or it was trained for other spaces.
    """
    quiet()  # Ray warns of a constructor that it calls itself
    _, content = run.read_best(checkpoint.read)
    if hasattr(env, "possible_agents"):
        return _team(content, env, deterministic)
    spaces = (env.observation_space, env.action_space)
    return _member(content, DEFAULT_MODULE_ID, *spaces, deterministic)


def _team(content: dict[str, Any], env: Any, deterministic: bool) -> TeamAgent:
    names = env.possible_agents
    observations = gym.spaces.Dict({name: env.observation_space(name) for name in names})
    actions = gym.spaces.Dict({name: env.action_space(name) for name in names})
    return TeamAgent(
        {
            name: _member(content, policy, observations[name], actions[name], deterministic)
            for name, policy in policies(observations, actions).items()
        }
    )


def _member(
    content: dict[str, Any],
    policy: str,
    observation_space: gym.Space[Any],
    action_space: gym.Space[Any],
    deterministic: bool,
) -> ModuleAgent:
    module = checkpoint.rebuild(content, policy, observation_space, action_space)
    return ModuleAgent(module, observation_space, action_space, deterministic)
