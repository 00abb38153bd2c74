"""Sections about training runs and sweeps."""

import io
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from PIL import Image

from agents.actions import decode_action
from agents.engines.base import TrainConfig, qualified_in_file
from agents.runs import Run
from envs.registration import references
from experiments.evaluate import make
from experiments.figures import Line, learning_curves
from experiments.page import Picture, Section, Table
from experiments.results import has_references
from experiments.statistics import Scores, iqm_curve
from experiments.sweep_figure import parallel_coordinates
from experiments.sweep_trials import remark
from hardware_sim.naming import FORM

LEVELS = ("reference", "bound", "single-device")
APART = ("seed", "checkpoint_every", "address")  # what runs of one training may differ in
RUN_COLUMNS = ("run", "environment", "algorithm", "steps", "seed", "best score", "made", "commit")


def run_names(runs: Sequence[Run]) -> list[str]:
    """A name for each run, shared by those that differ in their seed alone.

    Returns:
        Such as ``"ppo (sb3)"``, with a number where two kinds of training would share it; a run
        without a companion, or with one of the same seed, has the name of its folder.
    """
    configs = [TrainConfig.from_json(run.config) for run in runs]
    kinds: dict[str, list[int]] = defaultdict(list)
    for place, config in enumerate(configs):
        settings = {k: v for k, v in config.to_json().items() if k not in APART}
        kinds[repr(sorted(settings.items()))].append(place)
    names = [_folder_name(run, runs) for run in runs]
    taken: dict[tuple[str, str], int] = defaultdict(int)
    for places in kinds.values():
        if 1 < len(places) == len({configs[place].seed for place in places}):
            config = configs[places[0]]
            name = f"{config.algo} ({config.engine})"
            taken[name, config.env_id] += 1
            number = taken[name, config.env_id]
            for place in places:
                names[place] = name if number == 1 else f"{name}, settings {number}"
    return names


def _folder_name(run: Run, runs: Sequence[Run]) -> str:
    alike = [other for other in runs if other.folder.name == run.folder.name]
    return run.folder.name if len(alike) == 1 else str(run.folder)


def run_sections(runs: Sequence[Run]) -> list[Section]:
    """A table of the runs, and for each environment the learning curves and best episodes."""
    sections = [Section("Training runs", table=Table(RUN_COLUMNS, [_row(run) for run in runs]))]
    by_env: dict[str, dict[str, list[Run]]] = defaultdict(lambda: defaultdict(list))
    for name, run in zip(run_names(runs), runs, strict=True):
        by_env[TrainConfig.from_json(run.config).env_id][name].append(run)
    for env_id, kinds in by_env.items():
        title = env_id.removeprefix("envs:")
        sections.append(_learning_section(f"Learning: {title}", env_id, kinds))
        pictures = tuple(p for members in kinds.values() if (p := best_picture(members)))
        if pictures:
            sections.append(Section(f"Best episodes: {title}", figures=pictures))
    return sections


def _row(run: Run) -> list[str]:
    """The cells of a run, in the order of :data:`RUN_COLUMNS`."""
    config, best = TrainConfig.from_json(run.config), run.best_episode()
    return [
        run.folder.name,
        config.env_id.removeprefix("envs:"),
        f"{config.algo} ({config.engine})",
        f"{run.step:,}",
        str(config.seed),
        "" if best is None or best["score"] is None else f"{best['score']:.6g}",
        str(run.config.get("date", ""))[:16].replace("T", " "),
        str(run.config.get("git") or "")[:8],
    ]


def _learning_section(title: str, env_id: str, kinds: dict[str, list[Run]]) -> Section:
    """Learning curves of runs on one environment, beside its reference scores."""
    table = references(env_id) if has_references(env_id) else {}
    shown = (
        {"mean": "mean_score", "best so far": "best_score"} if table else {"mean": "mean_reward"}
    )
    curves: dict[str, Line] = {}
    bands: dict[str, tuple[Scores, Scores]] = {}
    for name, members in kinds.items():
        for kind, column in shown.items():
            label = f"{name}, {kind}" + (f" of {len(members)} runs" if len(members) > 1 else "")
            steps, values = _aligned(members, column)
            if steps.size:
                middle, low, high = iqm_curve(values)
                curves[label] = (steps.tolist(), middle.tolist())
                if len(members) > 1:
                    bands[label] = low, high
    if not curves:
        return Section(title, "No run has finished an episode yet.")
    levels = {name: table[name]["score"] for name in LEVELS if name in table}
    unit = f"score ({table['unit']})" if table else "return"
    caption = "Mean over the recent episodes of each run."
    if bands:
        caption += " Of several runs: the interquartile mean and its 95 % bootstrap interval."
    if levels:
        caption += " Dashed grey: reference scores."
    figure = learning_curves(curves, "environment steps", unit, levels, bands)
    return Section(title, figures=(Picture(figure, caption),))


def _aligned(runs: Sequence[Run], column: str) -> tuple[Scores, Scores]:
    """The values of a column of each run ``(R, S)`` at common steps ``(S,)``.

    The steps are those of any run between the last first and the first last; none if a run has no
    values, or the runs do not overlap.
    """
    lines = [
        np.array([(row["step"], row[column]) for row in run.metrics() if column in row])
        for run in runs
    ]
    if not all(line.size for line in lines):
        return np.empty(0), np.empty((len(runs), 0))
    steps = np.unique(np.concatenate([line[:, 0] for line in lines]))
    start, end = max(line[0, 0] for line in lines), min(line[-1, 0] for line in lines)
    steps = steps[(steps >= start) & (steps <= end)]
    return steps, np.array([np.interp(steps, line[:, 0], line[:, 1]) for line in lines])


def best_picture(runs: Sequence[Run]) -> Picture | None:
    """The final state of the best episode of some runs, replayed; None if there is none to draw."""
    env_id = TrainConfig.from_json(runs[0].config).env_id
    lower = has_references(env_id) and references(env_id)["better"] == "lower"
    found = []
    for run in runs:
        episode = run.best_episode()
        if episode is not None:
            value = episode["return"] if episode["score"] is None else episode["score"]
            found.append((-value if lower else value, run, episode))
    if not found:
        return None
    _, run, episode = max(found, key=lambda entry: entry[0])
    config = TrainConfig.from_json(run.config)
    seed, actions = episode["seed"], episode["actions"]
    frame = final_frame(config.env_id, config.env_kwargs, seed, actions, config.options)
    if frame is None:
        return None
    judged = "return" if episode["score"] is None else "score"
    return Picture(frame, f"{run.folder.name}: best episode, {judged} {episode[judged]:.6g}.")


def final_frame(
    env_id: str,
    env_kwargs: dict[str, Any],
    seed: int,
    actions: list[Any],
    options: dict[str, Any] | None = None,
) -> bytes | None:
    """PNG of the last state of an episode, replayed.

    Args:
        env_id: The environment.
        env_kwargs: Its arguments.
        seed: Seed of its reset.
        actions: The actions, encoded.
        options: Options of its reset.

    Returns:
        None if the environment draws no pictures, or lacks a library that it needs for them.
    """
    if FORM.fullmatch(env_id):
        return None  # a team
    qualified_in_file(env_id)
    plain = make(env_id, env_kwargs)
    drawn = "rgb_array" in plain.metadata.get("render_modes", [])
    plain.close()
    if not drawn:
        return None
    env = make(env_id, env_kwargs, render_mode="rgb_array")
    try:
        env.reset(seed=seed, options=options)
        for action in actions:
            env.step(decode_action(env.action_space, action))
        frame = np.asarray(env.render())
    except gym.error.DependencyNotInstalled:
        return None
    finally:
        env.close()
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def sweep_sections(name: str, result: dict[str, Any]) -> list[Section]:
    """The trials of a sweep as a table and as parallel coordinates.

    Args:
        name: The sweep's name.
        result: The content of its ``result.json``.
    """
    columns = list(result["search_space"])
    rows = [
        [
            str(trial["trial"]),
            *(f"{value:.4g}" if isinstance(value := trial["hyperparameters"][column], float)
              else str(value) for column in columns),
            str(trial["status"]),
            f"{trial['step']:,}",
            _number(trial["mean_reward"]),
            _number(trial["best_score"]),
        ]
        for trial in result["trials"]
    ]  # fmt: skip
    best = result["best"]
    table = Table(
        ["trial", *columns, "status", "step", "mean reward", "best score"],
        rows,
        f"{result['env_id']}, {result['engine']} {result['algo']}; the best trial stands out. "
        + remark(result),
        frozenset() if best is None else frozenset({best}),
    )
    picture = Picture(parallel_coordinates(result), "A line a trial; colour is the mean reward.")
    return [Section(f"Sweep {name}", table=table, figures=(picture,))]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
