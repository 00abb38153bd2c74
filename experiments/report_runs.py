"""Sections about training runs and sweeps."""

import io
from collections import defaultdict
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from PIL import Image

from agents.engines.base import TrainConfig
from agents.runs import Run
from envs.registration import references
from experiments.evaluate import decode_action
from experiments.figures import learning_curves
from experiments.page import Picture, Section, Table
from hardware_sim.errors import InputError

LEVELS = ("reference", "bound", "single-device")
WIDEST = 25  # characters of a cell: a date in full, a commit as far as it is needed
SHOWN = ("env_id", "engine", "algo", "steps", "seed", "num_envs", "date", "git")


def run_sections(runs: list[Run]) -> list[Section]:
    """A table of the runs, and for each environment the learning curves and best episode."""
    by_env: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_env[TrainConfig.from_json(run.config).env_id].append(run)
    rows = [
        [run.folder.name, *(str(run.config.get(name, ""))[:WIDEST] for name in SHOWN)]
        for run in runs
    ]
    sections = [Section("Training runs", table=Table(["run", *SHOWN], rows))]
    for env_id, members in by_env.items():
        sections.append(_learning_section(env_id, members))
        pictures = [picture for run in members if (picture := best_picture(run)) is not None]
        if pictures:
            sections.append(Section(f"Best episodes: {env_id}", figures=tuple(pictures)))
    return sections


def _learning_section(env_id: str, runs: list[Run]) -> Section:
    """Learning curves of runs on one environment, beside its reference scores."""
    try:
        table = references(env_id)
    except InputError:
        table = {}
    column = "mean_score" if table else "mean_reward"
    curves = {}
    for run in runs:
        rows = [row for row in run.metrics() if column in row]
        curves[f"{run.folder.name}, mean"] = (
            [row["step"] for row in rows],
            [row[column] for row in rows],
        )
        if table:
            curves[f"{run.folder.name}, best so far"] = (
                [row["step"] for row in rows],
                [row["best_score"] for row in rows],
            )
    levels = {name: table[name]["score"] for name in LEVELS if name in table}
    unit = f"score ({table['unit']})" if table else "return"
    figure = learning_curves(curves, "environment steps", unit, levels)
    caption = f"Mean over recent episodes of {env_id}; dashed: reference scores."
    return Section(f"Learning: {env_id}", figures=(Picture(figure, caption),))


def best_picture(run: Run) -> Picture | None:
    """The final state of a run's best episode, replayed; None if there is none to draw."""
    best = run.best_episode()
    if best is None:
        return None
    config = TrainConfig.from_json(run.config)
    frame = final_frame(config.env_id, config.env_kwargs, best["seed"], best["actions"])
    if frame is None:
        return None
    return Picture(frame, f"{run.folder.name}: best episode, score {best['score']:.6g}")


def final_frame(
    env_id: str, env_kwargs: dict[str, Any], seed: int, actions: list[Any]
) -> bytes | None:
    """PNG of the last state of an episode, replayed.

    Returns:
        None if the environment draws no pictures, or lacks a library that it needs for them.
    """
    plain = gym.make(env_id, **env_kwargs)
    drawn = "rgb_array" in plain.metadata.get("render_modes", [])
    plain.close()
    if not drawn:
        return None
    env = gym.make(env_id, render_mode="rgb_array", **env_kwargs)
    env.reset(seed=seed)
    try:
        for action in actions:
            env.step(decode_action(env.action_space, action))
        frame = np.asarray(env.render())
    except gym.error.DependencyNotInstalled:
        return None
    finally:
        env.close()
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "PNG")
    return buffer.getvalue()


def sweep_sections(folder: Path) -> list[Section]:
    """The trials of a sweep as a table and as parallel coordinates."""
    from experiments.report import read_json
    from experiments.sweep_figure import parallel_coordinates

    result = read_json(folder / "result.json")
    names = list(result["search_space"])
    rows = [
        [
            str(trial["trial"]),
            *(f"{value:.4g}" if isinstance(value := trial["hyperparameters"][name], float)
              else str(value) for name in names),
            str(trial["status"]),
            str(trial["step"]),
            _number(trial["mean_reward"]),
            _number(trial["best_score"]),
        ]
        for trial in result["trials"]
    ]  # fmt: skip
    best = result["best"]
    table = Table(
        ["trial", *names, "status", "step", "mean reward", "best score"],
        rows,
        f"{result['env_id']}, {result['engine']} {result['algo']}",
        frozenset() if best is None else frozenset({best}),
    )
    picture = Picture(parallel_coordinates(result), "A line a trial; colour is the mean reward.")
    return [Section(f"Sweep {folder.name}", table=table, figures=(picture,))]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
