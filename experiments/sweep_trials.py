"""The trials of a sweep: their hyperparameters, and one trial as Ray Tune runs it."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from agents.engines import engine
from agents.engines.base import Progress, TrainConfig
from agents.runs import Run
from hardware_sim.errors import InputError, choose
from hardware_sim.files import write_json
from hardware_sim.reading import read_json

KINDS = ("loguniform", "uniform", "choice")
OBJECTIVE = "mean_reward"
"""The metric of trials: the mean return of recent training episodes, higher is better."""

WORST = -1e30  # the metric of a trial without a finished episode; ASHA cannot compare infinities
REPORTED = "trial.json"  # in a trial's folder: the metrics it last reported
ENDED = "ended.json"  # in a trial's folder, once it has ended
REPORTS = 50  # to Tune in a whole trial, at most


def sample(space: dict[str, dict[str, Any]], trials: int, seed: int) -> list[dict[str, Any]]:
    """Draws the hyperparameters of every trial.

    They are drawn before anything runs and kept in ``config.json``, so that a resumed sweep tries
    the same ones whatever the scheduler remembers.

    Args:
        space: A ``search_space`` entry of ``training.json``: ``{"kind": "loguniform" or "uniform",
            "low": ..., "high": ...}`` or ``{"kind": "choice", "values": [...]}`` by name.
        trials: How many.
        seed: The same seed and space give the same trials.

    Raises:
        InputError: A kind is unknown, or its bounds are missing or in the wrong order.
    """
    random = np.random.default_rng(seed)
    return [
        {name: _draw(name, kind, random) for name, kind in space.items()} for _ in range(trials)
    ]


def _draw(name: str, kind: dict[str, Any], random: np.random.Generator) -> Any:
    choose(f"kind of search space {name!r}:", str(kind.get("kind")), KINDS)
    if kind["kind"] == "choice":
        if not kind.get("values"):
            raise InputError(f"search space {name!r} is a choice without values")
        return kind["values"][int(random.integers(len(kind["values"])))]
    try:
        low, high = float(kind["low"]), float(kind["high"])
    except KeyError as error:
        raise InputError(f"search space {name!r} lacks {error}") from None
    logarithmic = kind["kind"] == "loguniform"
    if low > high or (logarithmic and low <= 0):
        raise InputError(
            f"search space {name!r} goes from {low} to {high}; low must not exceed high, "
            "and a loguniform one must be positive"
        )
    if logarithmic:
        return float(np.exp(random.uniform(np.log(low), np.log(high))))
    return float(random.uniform(low, high))


def trial_folder(folder: str | Path, index: int) -> Path:
    """The run folder of a trial."""
    return Path(folder) / "trials" / f"{index:03d}"


def progress_of(folder: str | Path, index: int) -> dict[str, Any]:
    """The metrics that a trial last reported, ``{}`` before its first report."""
    path = trial_folder(folder, index) / REPORTED
    metrics: dict[str, Any] = read_json(path) if path.is_file() else {}
    return metrics


def note_end(folder: str | Path, index: int) -> None:
    """Notes that a trial has ended, by itself or because it was behind: it is not tried again."""
    write_json(trial_folder(folder, index) / ENDED, {})


def ended(folder: str | Path, index: int) -> bool:
    """True if a trial has ended."""
    return (trial_folder(folder, index) / ENDED).is_file()


def run_trial(assignment: dict[str, Any]) -> None:
    """Trains one trial in its own run folder and reports to Tune, which calls it in a worker.

    The run folder is what makes a trial resumable: started again, for whatever reason, it goes on
    from its newest checkpoint.

    Args:
        assignment: ``{"folder": the sweep's, "trial": index}``.
    """
    from ray import tune

    folder, index = Path(assignment["folder"]), int(assignment["trial"])
    sweep = Run(folder).config
    base = TrainConfig.from_json(sweep)
    chosen = sweep["assignments"][index]
    config = replace(base, hyperparameters=base.hyperparameters | chosen, address=None)
    place = trial_folder(folder, index)
    exists = (place / "config.json").is_file()
    run = Run(place) if exists else Run.create(place, config.to_json())
    reported = -math.inf

    def report(progress: Progress) -> None:
        nonlocal reported
        step, last = progress.step, progress.step >= progress.total
        value = progress.metrics.get(OBJECTIVE, math.nan)
        if math.isfinite(value) and (last or step - reported >= progress.total / REPORTS):
            reported = step
            known = {key: float(number) for key, number in progress.metrics.items()}
            # Before the report to Tune, which may end this process for good.
            write_json(place / REPORTED, {"step": step} | known)
            tune.report({"step": step, OBJECTIVE: value})

    with run.locked():
        engine(config.engine).train(config, run, report)
        rows = run.metrics()
        if rows:
            write_json(place / REPORTED, rows[-1])
    if math.isinf(reported):
        # It had been finished before a kill, or no episode ever ended; Tune needs a report even so.
        metrics = progress_of(folder, index)
        value = metrics.get(OBJECTIVE, WORST)
        tune.report({"step": int(metrics.get("step", config.steps)), OBJECTIVE: value})


def remark(result: dict[str, Any]) -> str:
    """Explains trials that rank above the best one; empty if none does."""
    if result["best"] is None:
        return ""
    best = result["trials"][result["best"]]
    above = [
        trial
        for trial in result["trials"]
        if trial[OBJECTIVE] is not None and trial[OBJECTIVE] > best[OBJECTIVE]
    ]
    if not above:
        return ""
    stopped = ", ".join(f"{trial['trial']} ({trial['step']:,})" for trial in above)
    return (
        f"Trial {best['trial']} is the best of those that trained to the end. Above it rank trials "
        f"that were not (steps in brackets): {stopped}; train one longer to know."
    )
