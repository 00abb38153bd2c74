"""Results that runs of their own agent make improbable: a one-sided test in the spirit of MLPerf's.

The null hypothesis is that a result's episodes and up to 60 reference runs, played now by
the agent that the result names on seeds of their own, are draws from one distribution. Then every
choice of so many of all the episodes is as probable as the one that the result is, whatever the
distribution: the share of choices with a mean at least as good, or with a variance at most as
large, is the probability.
"""

from itertools import count, islice

import numpy as np
from numpy.typing import NDArray

from agents.engines.base import qualified_in_file
from agents.kinds import kind_of
from agents.loading import heuristics, load_agent, make_agent
from agents.view import View
from envs.registration import references
from experiments.evaluate import make, play
from experiments.results import LEGACY, Episode, Result, has_references, options_of, values
from experiments.scores import FLOOR_SEEDS

IMPROBABLE = 1e-3
"""Probability below which a result is remarked upon; of honest ones one in 500 is."""

CHOICES = 20_000
STAGES = (8, 16, 32, 60)
"""Reference runs, at most: fewer than the last would seldom tell the best 5 of 40 from others."""

PROBABLE = 0.1
"""Probabilities from which no more runs are played, which can only spare a result a remark."""

Values = NDArray[np.float64]


def chances(ours: Values, theirs: Values) -> tuple[float, float]:
    """Probabilities of a mean as high as ours, and of a variance as low, if all are alike.

    Args:
        ours: Values of a result, ``(n,)``; higher is better.
        theirs: Values of reference runs, ``(m,)``.

    Returns:
        Both at least ``1 / (CHOICES + 1)``, for some of all choices are tried, seeded.
    """
    pool = np.concatenate([ours, theirs])
    order = np.random.default_rng(0).random((CHOICES, len(pool))).argsort(axis=1)
    drawn = pool[order[:, : len(ours)]]
    slack = 1e-9 * max(np.ptp(pool), 1e-300)  # sums in another order round otherwise
    good = (drawn.mean(axis=1) >= ours.mean() - slack).sum()
    alike = (drawn.std(axis=1) <= ours.std() + slack).sum()
    return (1 + int(good)) / (CHOICES + 1), (1 + int(alike)) / (CHOICES + 1)


def improbable(result: Result) -> list[str]:
    """A sentence with the figures for each way in which a result is improbable.

    There is none where nothing can be compared: the agent is not ours, or a planner or an oracle;
    the id has no reference scores, or measures; the format is the legacy one.

    Args:
        result: The content of a result file.
    """
    env_id, name = qualified_in_file(result["env_id"]), result["agent"]
    if result["format"] == LEGACY or not has_references(env_id):
        return []
    env = make(env_id, result["env_kwargs"])
    try:
        view = View.of(env)
        ours = name == "random" or name in heuristics(view)
        repeats = getattr(env.unwrapped, "deterministic", True)
        if not (ours and repeats) or kind_of(make_agent(name, view)) != "agent":
            return []
        episodes = result["episodes"]
        played = {episode["seed"] for episode in episodes}
        fresh = (seed for seed in count(FLOOR_SEEDS.start) if seed not in played)
        agent, options = load_agent(name, env), options_of(result)
        sign = -1.0 if references(env_id)["better"] == "lower" else 1.0
        found = np.array(values(episodes))
        runs: list[Episode] = []
        for stage in STAGES:
            more = islice(fresh, stage - len(runs))
            runs += [play(env, agent, seed, 0, options=options) for seed in more]
            theirs = np.array(values(runs))
            good, alike = chances(sign * found, sign * theirs)
            if min(good, alike) >= PROBABLE:
                break
    finally:
        env.close()
    others = f"of {len(runs)} runs of {name!r} now"
    return [
        f"improbably {word}: {what} of its {len(found)} episodes is {mine:.6g}, {others} "
        f"{reference:.6g}; such a set has probability {chance:.1g}, had nobody chosen it"
        for word, what, chance, mine, reference in (
            ("good", "the mean", good, found.mean(), theirs.mean()),
            ("uniform", "the standard deviation", alike, found.std(), theirs.std()),
        )
        if chance < IMPROBABLE
    ]
