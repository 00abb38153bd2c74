"""Sections about results: one agent or many, one environment or many."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.registration import references
from experiments import statistics
from experiments.figures import LOWEST_PROFILE, intervals, profiles
from experiments.page import Picture, Section, Table, decimals
from experiments.report_runs import final_frame
from experiments.results import Result, has_references, normalised_of, options_of, standing, values
from experiments.spot_check import NOT_REPLAYED
from experiments.statistics import Scores

LEVELS = ("reference", "bound")


@dataclass(frozen=True)
class Judged:
    """An agent on an environment, by one result or by those of several training runs.

    Attributes:
        agent: Its name.
        env_id: The environment.
        results: Contents of result files; at least one.
        checks: Of each result, how much of it was replayed.
    """

    agent: str
    env_id: str
    results: tuple[Result, ...]
    checks: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The agent's kind (:mod:`agents.kinds`); empty where an older result states none."""
        return str(self.results[0].get("kind", ""))

    @property
    def scores(self) -> Scores:
        """``(R,)``: each episode's score; of several training runs, each run's mean (IQM)."""
        if len(self.results) == 1:
            return np.array(values(self.results[0]["episodes"]))
        return np.array([statistics.iqm(values(result["episodes"])) for result in self.results])

    @property
    def sample(self) -> str:
        """The runs, seeds and replays, for people."""
        runs = f"{len(self.results)} runs, each " if len(self.results) > 1 else ""
        words = dict.fromkeys(standing(result)[0] for result in self.results)
        left_out = sum(result["aggregate"].get("left_out", 0) for result in self.results)
        without = f"; episodes not normalised: {left_out}" if left_out else ""
        return f"{runs}{' or '.join(words)}; {' or '.join(dict.fromkeys(self.checks))}{without}"

    @property
    def unit(self) -> str:
        """Unit of the scores; ``"return"`` where the environment gives no score."""
        return str(self.results[0]["aggregate"]["unit"])

    @property
    def normalised(self) -> list[float]:
        """As :attr:`scores`, normalised; empty where a result has no normalised scores."""
        found = [normalised_of(result) for result in self.results]
        if len(found) == 1 or not all(found):
            return found[0] if len(found) == 1 else []
        return [statistics.iqm(values) for values in found]

    @property
    def lower_is_better(self) -> bool:
        """True if a lower score is the better one."""
        return has_references(self.env_id) and references(self.env_id)["better"] == "lower"

    @property
    def success_rate(self) -> float | None:
        """Share of successful episodes; ``None`` where the environment knows no success."""
        found = [e["is_success"] for result in self.results for e in result["episodes"]]
        return None if None in found else float(np.mean(found))


def judge(
    results: Sequence[Result],
    names: Sequence[str] | None = None,
    checks: Sequence[str] | None = None,
) -> list[Judged]:
    """Results by agent and environment.

    Args:
        results: Contents of result files, as ``gymworks evaluate`` writes them.
        names: The agent of each result; results of one agent on one environment are those of
            its training runs. Default: the names in the results.
        checks: Of each result, how much of it was replayed; see :mod:`experiments.spot_check`.
            Default: nothing.
    """
    found: dict[tuple[str, str], list[tuple[Result, str]]] = {}
    names = names or [result["agent"] for result in results]
    checks = checks or [NOT_REPLAYED] * len(results)
    for name, result, check in zip(names, results, checks, strict=True):
        found.setdefault((name, result["env_id"]), []).append((result, check))
    return [Judged(*who, *zip(*members, strict=True)) for who, members in found.items()]


def result_sections(
    results: Sequence[Result],
    names: Sequence[str] | None = None,
    checks: Sequence[str] | None = None,
) -> list[Section]:
    """Tables with intervals, performance profiles and pictures of several results.

    Args:
        results: See :func:`judge`.
        names: See :func:`judge`.
        checks: See :func:`judge`.
    """
    found = judge(results, names, checks)
    table = normalised_scores(found)
    missing = sorted({one.agent for one in found if one.normalised} - table.keys())
    ids = list(dict.fromkeys(one.env_id for one in found))
    kinds = {one.agent: one.kind for one in found}
    return ([_overall(table, missing, kinds)] if table else []) + [
        _environment(env_id, [one for one in found if one.env_id == env_id]) for env_id in ids
    ]


def normalised_scores(found: Sequence[Judged]) -> dict[str, Scores]:
    """Normalised scores ``(R, T)`` of the agents that played every environment with a scale.

    An agent that has more scores on some environments than on others keeps the first of them.
    """
    columns: dict[str, dict[str, list[float]]] = {}
    for one in found:
        if scores := one.normalised:
            columns.setdefault(one.agent, {})[one.env_id] = scores
    tasks = sorted({env_id for scaled in columns.values() for env_id in scaled})
    return {
        agent: np.array(list(zip(*(scores[env_id] for env_id in tasks), strict=False)))
        for agent, scores in columns.items()
        if scores.keys() == set(tasks)
    }


def _overall(scores: dict[str, Scores], missing: list[str], kinds: dict[str, str]) -> Section:
    """Aggregates over environments and the performance profiles; oracles last."""
    ranked = sorted(scores.items(), key=lambda item: -statistics.iqm(item[1]))
    ranked.sort(key=lambda item: kinds[item[0]] == "oracle")
    rows = []
    for place, (agent, matrix) in enumerate(ranked):
        middle, low, high = statistics.iqm_interval(matrix)
        below = ranked[place + 1][1] if place + 1 < len(ranked) else None
        chance = "" if below is None else statistics.probability_of_improvement(matrix, below)
        rows.append(
            [
                agent,
                kinds[agent],
                _fixed(middle),
                statistics.between(low, high, ".3f"),
                _fixed(statistics.median(matrix)),
                _fixed(statistics.mean(matrix)),
                _fixed(statistics.optimality_gap(matrix)),
                chance if isinstance(chance, str) else f"{chance:.0%}",
            ]
        )
    columns = [
        "agent", "kind", "IQM", "95 % interval", "median", "mean", "optimality gap", "beats next",
    ]  # fmt: skip
    tasks = ranked[0][1].shape[1]
    many = f"{tasks} environments" if tasks > 1 else "one environment"
    caption = (
        f"Normalised scores (0 floor, 1 reference) over {many}: interquartile mean (IQM) with its "
        "stratified bootstrap interval, median and mean, the mean shortfall from 1 (optimality "
        "gap), and the chance that a run beats one of the agent in the next row."
    )
    if missing:
        caption += f" Left out, for they did not play all of them: {', '.join(missing)}."
    legend = "Performance profiles with 95 % intervals: higher and further right is better."
    if min(matrix.min() for matrix in scores.values()) < LOWEST_PROFILE:
        legend += f" Scores below {LOWEST_PROFILE:g} lie to the left of the figure."
    picture = Picture(profiles(dict(ranked)), legend)
    return Section("Over all environments", table=Table(columns, rows, caption), figures=(picture,))


def _environment(env_id: str, found: list[Judged]) -> Section:
    """Every agent on one environment, and an episode of the best one."""
    sign = 1 if found[0].lower_is_better else -1
    ranked = sorted(found, key=lambda one: sign * statistics.iqm(one.scores))
    ranked.sort(key=lambda one: one.kind == "oracle")
    known = references(env_id) if any(one.normalised for one in found) else {}
    marks = {name: known[name]["score"] for name in LEVELS if name in known}
    bars = {one.agent: statistics.iqm_interval(one.scores) for one in ranked}
    unit = found[0].unit
    heading = unit if unit in ("return", "score") else f"score\N{NO-BREAK SPACE}({unit})"
    figures = [
        Picture(
            intervals(bars, heading, marks),
            f"Interquartile means and 95 % intervals; {'lower' if sign > 0 else 'higher'} is "
            "better." + (" Dashed: reference scores." if marks else ""),
        )
    ]
    best = ranked[0].results[0]
    episode = best["episodes"][0]
    frame = final_frame(
        env_id, best["env_kwargs"], episode["seed"], episode["actions"], options_of(best)
    )
    if frame is not None:
        figures.append(Picture(frame, f"{ranked[0].agent}: the end of its first episode."))
    table = _environment_table(heading, ranked, bars, known)
    return Section(env_id.removeprefix("envs:"), table=table, figures=tuple(figures))


def _environment_table(
    heading: str,
    ranked: list[Judged],
    bars: dict[str, tuple[float, float, float]],
    known: dict[str, Any],
) -> Table:
    """A row for each agent and each reference score, best first and oracles last."""
    marks = {name: entry for name, entry in known.items() if "source" in entry}
    places = decimals([*(bar[0] for bar in bars.values()), *(m["score"] for m in marks.values())])
    lines = []
    for one in ranked:
        value, low, high = bars[one.agent]
        rate = one.success_rate
        lines.append(
            (
                value,
                [
                    one.agent,
                    f"{value:.{places}f}",
                    statistics.between(low, high, f".{places}f"),
                    _fixed(statistics.iqm(one.normalised)) if one.normalised else "",
                    "" if rate is None else f"{rate:.0%}",
                    one.kind,
                    one.sample,
                ],
                False,
            )
        )
    for name, entry in marks.items():
        score = entry["score"]
        share = _fixed(entry["normalised"]) if "normalised" in entry else ""
        line = [f"({name})", f"{score:.{places}f}", "", share, "", "", entry["source"]]
        lines.append((score, line, True))
    lines.sort(key=lambda line: line[0], reverse=not ranked[0].lower_is_better)
    lines.sort(key=lambda line: line[1][5] == "oracle")
    rows = [row for _, row, _ in lines]
    columns = [
        "agent", heading, "95 % interval", "normalised", "success", "kind", "played, or source",
    ]  # fmt: skip
    shown = [i for i in range(len(columns)) if i < 2 or any(row[i] for row in rows)]
    caption = (
        "Interquartile means; bootstrap intervals over episodes, or over training runs where "
        "there are several, and none where all are alike. A planner also receives each problem as "
        "data, an oracle the answer."
    )
    if marks:
        caption += " In brackets: reference scores; normalised: 0 floor, 1 reference."
    return Table(
        [columns[i] for i in shown],
        [[row[i] for i in shown] for row in rows],
        caption,
        muted=frozenset(i for i, line in enumerate(lines) if line[2]),
    )


def _fixed(value: float) -> str:
    """Three decimals, and no minus before what rounds to 0."""
    return f"{round(value, 3) + 0.0:.3f}"
