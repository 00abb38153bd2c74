"""A trained placement agent beside every baseline, at the same number of simulations."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from agents.loading import load_agent
from agents.placement import heuristics, search
from agents.rollout import ending
from agents.runs import Run
from envs.placement.env import DevicePlacementEnv
from experiments.figures import learning_curves
from experiments.page import Picture, Section, Table, render
from experiments.placement.figures import placement_figure
from hardware_sim.bounds import lower_bound
from hardware_sim.problem import PlacementProblem
from hardware_sim.simulator import evaluate

SEARCH_SEEDS = range(5)
LEVELS = ("one device", "HEFT", "simulated annealing", "proven lower bound")
WHAT = (
    "Step times come from a discrete-event simulator: each device works off its ready ops by "
    "priority, transfers queue on their links and overlap with compute, memory is tracked over "
    "time. Costs of ops follow a roofline with the devices' published figures."
    "\n\n"
    "Random search, simulated annealing and training spent the same number of simulations; the "
    "other baselines plan without any. The agent also saw an estimate of the step time after "
    "each decision, which the searches did not. The expert is the one of Mirhoseini et al. (2017): "
    "contiguous parts with the same number of layers."
)


@dataclass(frozen=True, eq=False)
class Row:
    """One line of the comparison.

    Attributes:
        name: The method.
        placement: int64 ``(G,)``, the device of each group; None for the bound.
        makespan_s: Seconds of one step.
        evaluations: Simulator calls it spent.
        peak_bytes: int64 ``(D,)``; None for the bound.
        fits: True if it fits in memory.
        note: A remark, or empty.
    """

    name: str
    placement: NDArray[np.int64] | None
    makespan_s: float
    evaluations: int
    peak_bytes: NDArray[np.int64] | None
    fits: bool = True
    note: str = ""


def compare(env_id: str, run: Run) -> tuple[PlacementProblem, list[Row]]:
    """Every baseline, the trained agent and the bound, slowest first.

    The searches get as many simulations as the training had episodes, each of which ended in one.

    Args:
        env_id: A placement environment with one graph.
        run: A finished training run on it.
    """
    env = gym.make(env_id)
    placement_env = env.unwrapped
    assert isinstance(placement_env, DevicePlacementEnv)
    problem = placement_env.core.graphs[0].problem
    evaluations = int(run.metrics()[-1]["episodes"])
    rows = baseline_rows(problem, evaluations) + trained_rows(problem, env, run, evaluations)
    env.close()
    return problem, [*sorted(rows, key=lambda row: -row.makespan_s), _bound_row(problem)]


def baseline_rows(problem: PlacementProblem, evaluations: int) -> list[Row]:
    """Every heuristic, and the searches at a number of evaluations (median of five seeds)."""
    rows = [
        _row(problem, name, plan(problem), 0)
        for name, plan in (
            ("one device", heuristics.single_device),
            ("round robin", heuristics.round_robin),
            ("published expert", heuristics.expert),
            ("HEFT", heuristics.heft),
            ("ETF", heuristics.etf),
            ("min-cut", heuristics.min_cut),
        )
    ]
    for name, finder in (
        ("simulated annealing", search.annealing),
        ("random search", search.random_search),
    ):
        found = [finder(problem, evaluations, seed) for seed in SEARCH_SEEDS]
        found.sort(key=lambda result: result.makespan_s)
        low, high = found[0].makespan_s * 1e3, found[-1].makespan_s * 1e3
        note = f"median of {len(found)} seeds, {low:.1f} to {high:.1f} ms"
        rows.append(_row(problem, name, found[len(found) // 2].placement, evaluations, note))
    return rows


def trained_rows(
    problem: PlacementProblem, env: gym.Env[Any, Any], run: Run, evaluations: int
) -> list[Row]:
    """The trained policy's own choice and the best placement it met while learning."""
    agent = load_agent(str(run.folder), env)
    policy = ending(env, agent, 0).info["placement"]
    best = run.best_episode()
    rows = [_row(problem, "PPO, trained policy", policy, evaluations, "its one greedy choice")]
    if best is not None:
        placement = np.array(best["actions"], np.int64)
        note = "the best of its training episodes, as for the searches"
        rows.append(_row(problem, "PPO, best found", placement, evaluations, note))
    return rows


def as_json(problem: PlacementProblem, rows: list[Row]) -> dict[str, Any]:
    """The comparison as JSON-serialisable values."""
    return {
        "graph": problem.graph.name,
        "cluster": problem.cluster.name,
        "rows": [
            {
                "name": row.name,
                "makespan_s": row.makespan_s,
                "evaluations": row.evaluations,
                "fits": row.fits,
                "peak_bytes": None if row.peak_bytes is None else row.peak_bytes.tolist(),
                "placement": None if row.placement is None else row.placement.tolist(),
                "note": row.note,
            }
            for row in rows
        ],
    }


def as_table(problem: PlacementProblem, rows: list[Row]) -> tuple[list[str], list[list[str]]]:
    """Headings and cells for people; the last row is the bound."""
    bound_s = rows[-1].makespan_s
    columns = ["method", "budget", "step ms", "speed-up", "/ bound"]
    columns += [f"{label} (GB)" for label in problem.cluster.labels]
    cells = []
    for row in rows:
        peaks = (
            ["" for _ in problem.cluster.labels]
            if row.peak_bytes is None
            else [f"{peak / 2**30:.2f}" for peak in row.peak_bytes]
        )
        cells.append(
            [
                row.name if row.fits else f"{row.name} (out of memory)",
                f"{row.evaluations:,}",
                f"{row.makespan_s * 1e3:.1f}",
                f"{problem.single_device_s / row.makespan_s:.3f}",
                f"{row.makespan_s / bound_s:.3f}",
                *peaks,
            ]
        )
    return columns, cells


def _row(
    problem: PlacementProblem,
    name: str,
    placement: NDArray[np.int64],
    evaluations: int,
    note: str = "",
) -> Row:
    outcome = evaluate(problem, placement[None])
    return Row(
        name=name,
        placement=placement,
        makespan_s=float(outcome.makespan_s[0]),
        evaluations=evaluations,
        peak_bytes=outcome.peak_bytes[0],
        fits=bool(outcome.fits[0]),
        note=note,
    )


def _bound_row(problem: PlacementProblem) -> Row:
    bound = lower_bound(problem)
    note = f"no placement can be faster ({bound.binding})"
    return Row("proven lower bound", None, bound.value_s, 0, None, note=note)


def verdict(rows: list[Row]) -> str:
    """Names the baselines that PPO's best placement beats, and those that are ahead of it."""
    ours = min(row.makespan_s for row in rows if row.name.startswith("PPO"))
    others = [row for row in rows if row.placement is not None and not row.name.startswith("PPO")]
    better = [row.name for row in others if row.makespan_s < ours]
    worse = [row.name for row in others if row.makespan_s >= ours]
    text = f"PPO beats {_enumerate(worse)}." if worse else "PPO beats no baseline."
    return f"{text} Ahead of PPO: {_enumerate(better)}." if better else text


def _enumerate(names: list[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def write_comparison(title: str, problem: PlacementProblem, rows: list[Row], run: Run) -> Path:
    """Writes ``report.html`` into the run folder: table, learning curve and timelines."""
    columns, cells = as_table(problem, rows)
    ours = frozenset(i for i, row in enumerate(rows) if row.name.startswith("PPO"))
    caption = (
        "Budget: simulations spent. / bound: ratio to the proven lower bound. The last columns are "
        "the peak memory of each device. "
    ) + " ".join(f"{row.name[0].upper()}{row.name[1:]}: {row.note}." for row in rows if row.note)
    fastest = min((row for row in rows if row.placement is not None), key=lambda r: r.makespan_s)
    trained = min((rows[i] for i in ours), key=lambda row: row.makespan_s)
    timelines = tuple(
        Picture(
            placement_figure(problem, row.placement),
            f"{row.name}: the graph coloured by device, and a row for each device and link; "
            "transfers have the colour of the receiver.",
        )
        for row in dict.fromkeys((trained, fastest))
        if row.placement is not None
    )
    learning = Picture(
        _learning(rows, run),
        "Step time of what the agent tries while it learns; dashed: baselines and the bound.",
    )
    table = Table(columns, cells, caption, ours)
    sections = [
        Section("Every method at the same number of simulations", verdict(rows), table),
        Section("Learning", figures=(learning,)),
        Section("The best placements", figures=timelines),
        Section("What this is", WHAT),
    ]
    return render(title, sections, run.folder / "report.html")


def _learning(rows: list[Row], run: Run) -> Figure:
    """Mean and best step time over training, beside the baselines."""
    metrics = [row for row in run.metrics() if "mean_score" in row]
    steps = [row["step"] for row in metrics]
    levels = {row.name: row.makespan_s * 1e3 for row in rows if row.name in LEVELS}
    curves = {
        "mean of recent episodes": (steps, [row["mean_score"] * 1e3 for row in metrics]),
        "best so far": (steps, [row["best_score"] * 1e3 for row in metrics]),
    }
    return learning_curves(curves, "decisions (one group placed)", "step time (ms)", levels)
