"""The RLlib engine: for clusters, sweeps, demonstrations and teams of agents."""

import os
import shutil
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.utils.metrics import (
    ALL_MODULES,
    ENV_RUNNER_RESULTS,
    LEARNER_RESULTS,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
    NUM_MODULE_STEPS_TRAINED_LIFETIME,
)

from agents.agent import Agent
from agents.engines.base import EpisodeTracker, Progress, Report, TrainConfig
from agents.engines.rllib_agent import CORRUPTION, ModuleAgent, TeamAgent, read_module
from agents.engines.rllib_callbacks import EPISODES
from agents.engines.rllib_config import ALGORITHMS, OFFLINE, build, hyperparameters, spaces
from agents.engines.rllib_session import quiet, session
from agents.engines.teams import is_team, policies
from agents.runs import Run, UnreadableCheckpointError
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

    def built(step: int) -> Algorithm:
        return build(config, step).build_algo()

    def restored(path: Path) -> Algorithm:
        algorithm = built(Run.checkpoint_step(path))
        try:
            if config.algo in OFFLINE:
                # RLlib 2.60 restores an algorithm through its runners, and here are none.
                algorithm.learner_group.restore_from_path(path.resolve() / "learner_group")
            else:
                algorithm.restore_from_path(path.resolve())
        except CORRUPTION as error:
            algorithm.stop()
            raise UnreadableCheckpointError(f"{type(error).__name__}: {error}") from error
        return algorithm

    found = run.read_newest(restored)
    step = Run.checkpoint_step(found[0]) if found else 0
    run.rewind(step)
    return found[1] if found else built(0), step


def _iterate(
    algorithm: Algorithm, config: TrainConfig, run: Run, report: Report, step: int
) -> None:
    tracker = EpisodeTracker(run, config.env_id)
    rows = run.metrics()
    seconds_before = rows[-1]["seconds"] if rows else 0.0
    tracker.episodes = int(rows[-1]["episodes"]) if rows else 0
    begun, start, saved = time.perf_counter(), step, step
    # What RLlib counts goes on after a restore through runners and begins anew after one without.
    uncounted = step if config.algo in OFFLINE else 0
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
            _save(algorithm, run, step)
            run.mark_best(step, tracker.quality())
            run.prune()
            tracker.save()
            saved = step
        report(Progress(step, config.steps, rate, row))


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


def _save(algorithm: Algorithm, run: Run, step: int) -> None:
    """Saves under a hidden name first, so that a kill leaves no half of a checkpoint."""
    final = run.checkpoint_path(step)
    hidden = final.with_name(f".{final.name}")
    for folder in (hidden, final):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        algorithm.save_to_path(hidden.resolve())
    except OSError as error:
        shutil.rmtree(hidden, ignore_errors=True)
        raise InputError(f"cannot write a checkpoint to {final}: {error.strerror}") from error
    hidden.rename(final)


def load(run: Run, env: gym.Env[Any, Any], deterministic: bool = True) -> Agent:
    """The agent of the run's best checkpoint; it acts without a Ray session.

    Args:
        run: A run of this engine.
        env: The environment it will act in.
        deterministic: It takes the most probable action rather than a sampled one.

    Raises:
        InputError: The run has no readable checkpoint.
    """
    quiet()  # Ray warns of a constructor that it calls itself
    if is_team(run.config["env_id"]):
        _, team = run.read_best(lambda path: _team(path, run, deterministic))
        return team
    _, module = run.read_best(read_module)
    return ModuleAgent(module, env.observation_space, env.action_space, deterministic)


def _team(checkpoint: Path, run: Run, deterministic: bool) -> TeamAgent:
    observations, actions = spaces(TrainConfig.from_json(run.config))
    assert isinstance(observations, gym.spaces.Dict)
    assert isinstance(actions, gym.spaces.Dict)
    return TeamAgent(
        {
            agent: ModuleAgent(
                read_module(checkpoint, policy), observations[agent], actions[agent], deterministic
            )
            for agent, policy in policies(observations, actions).items()
        }
    )
