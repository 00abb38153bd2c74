"""Scores of agents and of naive play on problems, for the tables of reference scores."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from agents.loading import load_agent
from agents.rollout import ending
from envs.registration import NOISE
from envs.testing.naive import ConstantPlay, Player, RandomPlay, constants, episode

FLOOR_SEEDS = range(5_000, 5_050)
"""Seeds of naive play; no list that agents are judged on has them."""

NAIVE = "the best of random and constant play on each problem"

Row = dict[str, Any]


def scores(
    env: gym.Env[Any, Any],
    name: str,
    seeds: Iterable[int],
    options: dict[str, Any] | None = None,
    shares: bool = False,
) -> list[float]:
    """An agent's scores.

    Args:
        env: The environment; stays open.
        name: An agent as :func:`agents.loading.load_agent` takes it.
        seeds: A seed an episode.
        options: Options of each reset.
        shares: Give scores over ``info["bound"]`` instead.
    """
    agent = load_agent(name, env)
    ends = [ending(env, agent, seed, options=options).info for seed in seeds]
    return [_figure(end, shares) for end in ends]


def _figure(info: dict[str, Any], shares: bool) -> float:
    return float(info["score"] / info["bound"] if shares else info["score"])


@dataclass(frozen=True)
class Floor:
    """Naive play on a problem.

    Attributes:
        score: The best mean.
        error: Its standard error; 0 where the play has no chance in it.
        play: ``"random"``, or ``"constant 3"``.
    """

    score: float
    error: float
    play: str


def floor(
    env: gym.Env[Any, Any],
    better: str,
    options: dict[str, Any] | None = None,
    seeds: Sequence[int] = FLOOR_SEEDS,
    constant_seeds: Sequence[int] | None = None,
    shares: bool = False,
) -> Floor:
    """The best of random and constant play on a problem, see :mod:`envs.testing.naive`.

    Args:
        env: The environment; stays open.
        better: ``"lower"`` or ``"higher"``.
        options: Options of each reset, which name the problem.
        seeds: A seed an episode of random play.
        constant_seeds: A seed an episode by which the best constant action is found, which is
            then played on all of ``seeds``; by default the first, which is enough where the problem
            has no chance in it.
        shares: Take scores over ``info["bound"]``.
    """
    constant_seeds = seeds[:1] if constant_seeds is None else constant_seeds
    sign = -1.0 if better == "lower" else 1.0

    def played(name: str, player: Player, each: Sequence[int]) -> Floor:
        figures = [_figure(episode(env, player, seed, options), shares) for seed in each]
        return Floor(float(np.mean(figures)), standard_error(figures), name)

    def best(found: Iterable[Floor]) -> Floor:
        return max(found, key=lambda one: sign * one.score)

    players = {
        f"constant {np.asarray(action).tolist()}": ConstantPlay(env, action)
        for action in constants(env.action_space)
    }
    random = played("random", RandomPlay(env), seeds)
    if not players:
        return random
    constant = best(played(*each, constant_seeds) for each in players.items())
    if 1 < len(constant_seeds) < len(seeds):  # the best of many by few episodes was lucky, too
        constant = played(constant.play, players[constant.play], seeds)
    return best((random, constant))


def standard_error(figures: Sequence[float]) -> float:
    """Standard error of a mean; 0 for a single figure."""
    if len(figures) < 2:
        return 0.0
    return float(np.std(figures, ddof=1) / np.sqrt(len(figures)))


def scale(
    low: Floor, reference: Sequence[float], bound: float | None = None, least_noise: float = 0.0
) -> Row:
    """A problem's floor, reference and bound, and the noise of the difference of the first two.

    Args:
        low: Naive play.
        reference: Scores of the reference.
        bound: The score that none exceeds, if it is known.
        least_noise: What the noise is at least.
    """
    noise = max(least_noise, float(np.hypot(low.error, standard_error(reference))))
    row = {"floor": low.score, "play": low.play, "reference": float(np.mean(reference))}
    return row | {"noise": noise} | ({} if bound is None else {"bound": bound})


def table(
    unit: str,
    better: str,
    sources: Mapping[str, str],
    played: Mapping[str, Mapping[str, Sequence[float]]],
    floors: Mapping[str, Floor],
    candidates: Sequence[str],
    bounds: Mapping[str, float] | None = None,
    bound_source: str = "",
    least_noise: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """The reference scores of an id with one problem or a table of them.

    Args:
        unit: Of the scores.
        better: ``"lower"`` or ``"higher"``.
        sources: By agent, what it is and how it was played.
        played: By agent and problem, its scores.
        floors: By problem, naive play.
        candidates: The agents of which the best, by the mean over problems, is the reference.
        bounds: By problem, the score that none exceeds.
        bound_source: What proves the bounds.
        least_noise: By problem, what its noise is at least; see :func:`scale`.
    """
    sign = -1.0 if better == "lower" else 1.0
    means = {name: _mean(np.mean(found) for found in by.values()) for name, by in played.items()}
    best = max(candidates, key=lambda name: sign * means[name])
    problems = {
        name: scale(
            low, played[best][name], (bounds or {}).get(name), (least_noise or {}).get(name, 0.0)
        )
        for name, low in floors.items()
    }
    rows: dict[str, Any] = {
        "reference": {
            "score": means[best],
            "source": f"the best of the others, {best}: {sources[best]}",
        },
        "floor": {"score": _mean(low.score for low in floors.values()), "source": NAIVE},
    }
    rows |= {name: {"score": means[name], "source": sources[name]} for name in played}
    if bounds:
        rows["bound"] = {"score": _mean(bounds.values()), "source": bound_source}
    by_problem = {
        name: {k: float(np.mean(v)) for k, v in by.items()} for name, by in played.items()
    }
    by_problem |= {"reference": by_problem[best], "floor": {k: f.score for k, f in floors.items()}}
    if bounds:
        by_problem["bound"] = dict(bounds)
    for name, row in rows.items():
        row |= _normalised(problems, by_problem[name], sign)
    return {"unit": unit, "better": better, **rows, "problems": problems}


def _normalised(problems: Mapping[str, Row], means: Mapping[str, float], sign: float) -> Row:
    """The mean over the problems that have a scale; nothing where none has."""
    found = [
        (means[name] - row["floor"]) / (row["reference"] - row["floor"])
        for name, row in problems.items()
        if sign * (row["reference"] - row["floor"]) > NOISE * row["noise"]
    ]
    return {"normalised": float(np.mean(found))} if found else {}


def _mean(values: Iterable[Any]) -> float:
    return float(np.mean(list(values)))
