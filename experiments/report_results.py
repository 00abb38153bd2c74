"""Sections about results: one agent or many, one environment or many."""

from typing import Any

import numpy as np

from envs.registration import normalised, references
from experiments.figures import intervals, profiles
from experiments.page import Picture, Section, Table
from experiments.report_runs import final_frame
from experiments.statistics import Scores, iqm, stratified_bootstrap
from hardware_sim.errors import InputError


def result_sections(results: list[dict[str, Any]]) -> list[Section]:
    """Tables with intervals, performance profiles and pictures of several results.

    Args:
        results: Contents of result files, as ``gymworks evaluate`` writes them.
    """
    sections = []
    table = normalised_scores(results)
    if table:
        sections.append(_overall(table))
    ids = list(dict.fromkeys(result["env_id"] for result in results))
    return sections + [
        _environment(env_id, [result for result in results if result["env_id"] == env_id])
        for env_id in ids
    ]


def normalised_scores(results: list[dict[str, Any]]) -> dict[str, Scores]:
    """Normalised scores ``(R, T)`` of the agents that ran on every environment with references."""
    by_agent: dict[str, dict[str, list[float]]] = {}
    for result in results:
        try:
            references(result["env_id"])
        except InputError:
            continue
        scores = [normalised(result["env_id"], score) for score in episode_scores(result)]
        by_agent.setdefault(result["agent"], {})[result["env_id"]] = scores
    tasks = {env_id for scores in by_agent.values() for env_id in scores}
    complete = {
        agent: [scores[env_id] for env_id in sorted(tasks)]
        for agent, scores in by_agent.items()
        if scores.keys() == tasks
    }
    runs = min((len(column) for columns in complete.values() for column in columns), default=0)
    return {
        agent: np.array([column[:runs] for column in columns]).T
        for agent, columns in complete.items()
        if runs
    }


def episode_scores(result: dict[str, Any]) -> list[float]:
    """The score of each episode, or its return where the environment gives no score."""
    return [
        float(episode["return"] if episode.get("score") is None else episode["score"])
        for episode in result["episodes"]
    ]


def _overall(scores: dict[str, Scores]) -> Section:
    """Aggregates over environments and the performance profiles."""
    rows = []
    for agent, matrix in sorted(scores.items(), key=lambda item: -iqm(item[1])):
        low, high = stratified_bootstrap(matrix)
        rows.append(
            [agent, f"{iqm(matrix):.3f}", f"{low:.3f} to {high:.3f}", f"{matrix.mean():.3f}"]
        )
    first = next(iter(scores.values()))
    caption = (
        f"Normalised scores (0 random, 1 reference) over {first.shape[0]} runs of "
        f"{first.shape[1]} environments; intervals are stratified bootstraps."
    )
    table = Table(["agent", "interquartile mean", "95 % interval", "mean"], rows, caption)
    picture = Picture(profiles(scores), "Performance profiles: higher and further right is better.")
    return Section("Over all environments", table=table, figures=(picture,))


def _environment(env_id: str, results: list[dict[str, Any]]) -> Section:
    """Every agent on one environment, and what the best one did."""
    try:
        known = references(env_id)
    except InputError:
        known = {}
    unit = known.get("unit", "")
    rows, bars = [], {}
    for result in results:
        scores = np.array(episode_scores(result))
        low, high = stratified_bootstrap(scores)
        bars[result["agent"]] = iqm(scores), low, high
        cells = [
            result["agent"],
            str(len(scores)),
            f"{iqm(scores):.6g}",
            f"{low:.6g} to {high:.6g}",
        ]
        success = [bool(episode.get("is_success")) for episode in result["episodes"]]
        cells.append(f"{np.mean(success):.0%}")
        cells.append(f"{normalised(env_id, iqm(scores)):.3f}" if known else "")
        rows.append(cells)
    columns = ["agent", "episodes", f"score {unit}", "95 % interval", "success", "normalised"]
    for name, entry in known.items():
        if isinstance(entry, dict):
            value = entry["score"]
            share = f"{normalised(env_id, value):.3f}"
            rows.append([f"({name})", "", f"{value:.6g}", "", "", share])
    marks = ("reference", "bound")
    levels: dict[str, float] = {name: known[name]["score"] for name in marks if name in known}
    figures = [Picture(intervals(bars, f"score {unit}", levels), "Interquartile means, intervals.")]
    lower = known.get("better") == "lower"
    best = min(results, key=lambda r: iqm(episode_scores(r)) * (1 if lower else -1))
    episode = best["episodes"][0]
    frame = final_frame(env_id, best.get("env_kwargs", {}), episode["seed"], episode["actions"])
    if frame is not None:
        figures.append(Picture(frame, f"{best['agent']}: its first episode, at the end."))
    caption = "In brackets: reference scores." if known else ""
    return Section(env_id, table=Table(columns, rows, caption), figures=tuple(figures))
