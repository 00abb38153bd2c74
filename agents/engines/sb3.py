"""Training with Stable-Baselines3 in this process: the default engine.

Algorithms: ``ppo`` (with action masks wherever the environment has them), ``maskable_ppo``,
``a2c``, ``dqn``, ``sac``. A checkpoint holds tensors, numbers and names, nothing that executes
code on loading.
"""

import io
import os
import pickle
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback

from agents.engines.base import EpisodeTracker, Progress, Report, TrainConfig
from agents.engines.episodes import TrackedVecEnv
from agents.engines.sb3_config import (
    ALGORITHMS,
    hyperparameters,
    make_env,
    make_envs,
    network,
    policy_class,
    resolve,
)
from agents.engines.sb3_networks import check_description, policy_kwargs
from agents.engines.sb3_policy import NetworkPolicy, PolicyAgent
from agents.runs import Run, UnreadableCheckpointError
from envs.weights import load_weights
from hardware_sim.errors import InputError, choose

__all__ = ["ALGORITHMS", "load", "train"]

SUFFIX = ".pt"
REPORT_EVERY = 0.25  # seconds between reports within a rollout
ROWS = 200  # rows of metrics.csv in a whole run, at most
NEVER = 2**62  # iterations between Stable-Baselines3's own logs; ours are in metrics.csv


def train(config: TrainConfig, run: Run, report: Report) -> None:
    """Trains, continuing from the run's newest readable checkpoint if there is one.

    After a resume the weights, optimiser and step count continue; episodes and samples are drawn
    from a new stream derived from seed and step, and a replay buffer starts empty.

    Args:
        config: What to train.
        run: Receives checkpoints, metrics and the best episode.
        report: Called with the progress, about four times a second.

    Raises:
        InputError: The algorithm, a hyperparameter or an argument of the environment does not
            fit, no checkpoint is readable, or the disk is full.
    """
    with _threads():
        _train(config, run, report)


@contextmanager
def _threads() -> Iterator[None]:
    """One torch thread while training, or ``OMP_NUM_THREADS`` of them.

    The networks are small: two threads gain little on idle cores, and on busy ones they wait for
    each other so much that training takes ten times as long.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(before if "OMP_NUM_THREADS" in os.environ else 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train(config: TrainConfig, run: Run, report: Report) -> None:
    probe = make_env(config.env_id, config.env_kwargs)
    name, algorithm = resolve(config.algo, probe)
    probe.close()
    found = run.read_newest(read)
    start = found[1]["step"] if found else 0
    run.rewind(start)
    if start >= config.steps:
        return
    tracker = EpisodeTracker(run, config.env_id)
    venv = TrackedVecEnv(make_envs(config, name == "maskable_ppo"), tracker)
    try:
        values = hyperparameters(config, name, venv)
        weights = values.pop("weights", None)
        described = network(config, name, values)
        policy = policy_class(algorithm, venv.observation_space, described)
        values |= {"policy_kwargs": policy_kwargs(described), "seed": _stream(config.seed, start)}
        model = _construct(algorithm.cls, policy, venv, values)
        if found:
            _restore(model, found[1])
        elif weights is not None:
            if described["network"] is None:
                raise InputError(f"{name} begins with no weights on {config.env_id}")
            load_weights(cast(NetworkPolicy, model.policy).network, str(weights))
        keeper = _Keeper(config, run, tracker, report, {"algo": name, "network": described})
        try:
            model.learn(config.steps - start, keeper, NEVER, reset_num_timesteps=not found)
        finally:
            # Also after Ctrl-C: what was learned so far is kept.
            keeper.finish()
    finally:
        venv.close()


def _stream(seed: int, start: int) -> int:
    """The seed of a process that trains from a step; the run's own at the beginning."""
    if start == 0:
        return seed
    return int(np.random.SeedSequence([seed, start]).generate_state(1)[0] >> 1)


def _construct(
    cls: type[BaseAlgorithm], policy: Any, venv: TrackedVecEnv, values: dict[str, Any]
) -> BaseAlgorithm:
    with warnings.catch_warnings():
        # A last minibatch that is smaller than the others does no harm.
        warnings.filterwarnings("ignore", message="You have specified a mini-batch size")
        try:
            return cls(policy, venv, **values)
        except (AssertionError, TypeError) as error:
            raise InputError(f"{cls.__name__} refuses its hyperparameters: {error}") from error


def read(path: Path) -> dict[str, Any]:
    """The content of a checkpoint.

    Returns:
        ``step``, ``algo``, ``network`` (see :func:`agents.engines.sb3_config.network`),
        ``parameters`` (state dicts by name), ``variables`` (tensors by name) and ``updates``.

    Raises:
        UnreadableCheckpointError: It is truncated or not a checkpoint of this engine.
        InputError: It describes networks that are in no table.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError, ValueError) as error:
        raise UnreadableCheckpointError(str(error).partition("\n")[0] or "empty") from error
    if not isinstance(content, dict) or not _fits(content):
        raise UnreadableCheckpointError("not a checkpoint of engine sb3")
    check_description(content["network"])
    return content


def _fits(content: dict[str, Any]) -> bool:
    """True if a checkpoint has the parts of :func:`read`, each of its kind."""
    kinds = {"step": int, "algo": str, "parameters": dict, "variables": dict, "updates": int}
    return (
        content.keys() == kinds.keys() | {"network"}
        and all(isinstance(content[name], kind) for name, kind in kinds.items())
        and isinstance(content["parameters"].get("policy"), dict)
        and all(isinstance(value, torch.Tensor) for value in content["variables"].values())
    )


def _serialise(model: BaseAlgorithm, described: dict[str, Any]) -> bytes:
    _, variables = model._get_torch_save_params()
    content = described | {
        "step": model.num_timesteps,
        "parameters": model.get_parameters(),
        "variables": {name: getattr(model, name).detach() for name in variables},
        "updates": getattr(model, "_n_updates", 0),
    }
    # Into memory first: on a full disk torch's own writer ends the process.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _restore(model: BaseAlgorithm, content: dict[str, Any]) -> None:
    try:
        model.set_parameters(content["parameters"], device=model.device)
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"the checkpoint does not fit the configuration: {reason}") from error
    variables = model._get_torch_save_params()[1]
    for name, value in content["variables"].items():
        choose("variable of a checkpoint", name, list(variables))
        getattr(model, name).data = value.to(model.device)
    model.num_timesteps = content["step"]
    model._n_updates = content["updates"]


class _Keeper(BaseCallback):
    """Writes metrics and checkpoints and reports progress, between rollouts."""

    def __init__(
        self,
        config: TrainConfig,
        run: Run,
        tracker: EpisodeTracker,
        report: Report,
        described: dict[str, Any],
    ) -> None:
        super().__init__()
        self._config, self._run, self._tracker = config, run, tracker
        self._report, self._described = report, described
        rows = run.metrics()
        self._seconds_before = rows[-1]["seconds"] if rows else 0.0
        tracker.episodes = int(rows[-1]["episodes"]) if rows else 0

    def _on_training_start(self) -> None:
        self._began = self._reported = time.perf_counter()
        self._start = self._saved = self._logged = self.model.num_timesteps
        self._row: dict[str, float] = {}

    def _on_rollout_start(self) -> None:
        # Here the update that followed the last rollout is done: weights and losses are new.
        step = self.model.num_timesteps
        due = step - self._saved >= self._config.checkpoint_every
        if due or step - self._logged >= max(1, self._config.steps // ROWS):
            self._log()
            if due:
                self._save()
            self._send_report()

    def _on_step(self) -> bool:
        if time.perf_counter() - self._reported >= REPORT_EVERY:
            self._send_report()
        return True

    def _rate(self) -> float:
        elapsed = time.perf_counter() - self._began
        return (self.model.num_timesteps - self._start) / max(elapsed, 1e-9)

    def _send_report(self) -> None:
        self._reported = time.perf_counter()
        step, total = self.model.num_timesteps, self._config.steps
        metrics = self._row | self._tracker.metrics()
        self._report(Progress(step, total, self._rate(), metrics))

    def _log(self) -> None:
        self._logged = self.model.num_timesteps
        losses = {
            key.removeprefix("train/"): float(value)
            for key, value in self.model.logger.name_to_value.items()
            if key.startswith("train/") and isinstance(value, int | float | np.number)
        }
        self._row = {
            "step": self._logged,
            "seconds": self._seconds_before + time.perf_counter() - self._began,
            "steps_per_second": self._rate(),
            **self._tracker.metrics(),
            **losses,
        }
        self._run.append_metrics(self._row)
        self._tracker.save()

    def _save(self) -> None:
        self._saved = self.model.num_timesteps
        data = _serialise(self.model, self._described)
        self._run.save_checkpoint(self._saved, SUFFIX, data, self._tracker.quality())

    def finish(self) -> None:
        """Writes the last row and checkpoint, unless the training never began."""
        if not hasattr(self, "_began"):
            return
        if self.model.num_timesteps > self._logged:
            self._log()
        if self.model.num_timesteps > self._saved:
            self._save()
            self._send_report()


def load(run: Run, env: gym.Env[Any, Any], deterministic: bool = True) -> PolicyAgent:
    """The agent of the run's best checkpoint, or else of its newest readable one.

    Args:
        run: A run of this engine.
        env: The environment it will act in.
        deterministic: The most probable legal action; otherwise samples, seeded by ``reset``.

    Raises:
        InputError: No checkpoint is readable, or it was trained for other spaces.
    """
    path, content = run.read_best(read)
    _, algorithm = resolve(content["algo"], env)
    cls = policy_class(algorithm, env.observation_space, content["network"])
    kwargs = policy_kwargs(content["network"])
    try:
        policy = cls(env.observation_space, env.action_space, lambda _: 0.0, **kwargs)
    except TypeError as error:
        raise InputError(f"{path} describes networks that cannot be made: {error}") from error
    try:
        policy.load_state_dict(content["parameters"]["policy"])
    except RuntimeError as error:
        trained = run.config.get("env_id")
        raise InputError(
            f"{path} was trained on {trained}, whose spaces differ from this environment's "
            f"({str(error).splitlines()[-1].strip()})"
        ) from error
    return PolicyAgent(policy, env, deterministic)
