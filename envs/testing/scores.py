"""Scores: within their bounds, at the floor for naive play, at the reference for an oracle."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from scipy.special import ndtri, stdtrit

from envs.registration import find, has_scale, is_ours, normalised, references
from envs.testing.naive import ConstantPlay, Player, RandomPlay, constants, episode
from envs.testing.subject import Subject, Target, require

SEED = 7_000
"""First seed of the plays; neither floors nor lists of seeds have it or those after it."""

CONFIDENCE = 0.998
"""Of the intervals to either side: by Student's t for the episodes, by a normal for the scale."""

Oracle = Callable[[gym.Env[Any, Any]], Player]
"""Makes a player from the environment."""


@dataclass(frozen=True)
class End:
    """The end of an episode: its score, and problem and bound where they are known."""

    score: float
    problem: str | None
    bound: float | None

    @property
    def at_bound(self) -> bool:
        """The score is the bound, up to rounding."""
        return self.bound is not None and math.isclose(self.score, self.bound, rel_tol=1e-9)


def check_naive_play(
    target: Target, episodes: int = 5, constant_episodes: int = 5, most: int = 4
) -> str:
    """Naive play scores within the bounds, and at most zero on the normalised scale.

    Played are random legal actions and constant ones (always the same action where it is legal,
    else the first legal one), on seeds of which the floors know nothing. At the last step
    ``info["problem"]``, where it is given, is a text, and no score lies beyond ``info["bound"]``.
    Where the id has a scale, the mean normalised score of each play is at most 0, up to its
    confidence interval.

    Args:
        target: An id or a factory.
        episodes: Episodes of random play.
        constant_episodes: Episodes of each constant action.
        most: Most constant actions, evenly from those of :func:`envs.testing.naive.constants`.

    Raises:
        AssertionError: One of these does not hold.
    """
    subject = Subject.of(target)
    env, env_id = subject.make(), _scaled_id(subject)
    seen = []
    for name, player, count in _naive(env, episodes, constant_episodes, most):
        ends = _play(subject.name, env, player, range(SEED, SEED + count), env_id)
        if env_id is None:
            continue
        mean, width = _scaled(env_id, ends)
        require(
            mean <= width + 1e-9,
            subject.name,
            f"expected {name} to score at most 0 on the normalised scale; saw {mean:.3f}, more "
            f"than its interval of {width:.3f} allows",
        )
        seen.append(f"{name} {mean:.2f}")
    env.close()
    return ", ".join(seen) or "within the bounds; no normalised scale"


def check_oracle(target: Target, oracle: Oracle, episodes: int = 3) -> str:
    """An oracle, or the agent behind the reference, reaches the reference or the bound.

    Each episode ends at ``info["bound"]``, or the mean normalised score is at least 1, up to its
    confidence interval. :func:`envs.testing.check` runs it where it is given an oracle.

    Args:
        target: An id or a factory.
        oracle: Makes the player from the environment.
        episodes: Episodes that it plays.

    Raises:
        AssertionError: It reaches neither, or a score lies beyond its bound.
    """
    subject = Subject.of(target)
    env, env_id = subject.make(), _scaled_id(subject)
    ends = _play(subject.name, env, oracle(env), range(SEED, SEED + episodes), env_id)
    env.close()
    if all(end.at_bound for end in ends):
        return f"at the bound in {episodes} episodes"
    missed = [end for end in ends if not end.at_bound]
    require(
        env_id is not None,
        subject.name,
        f"expected the oracle to reach the bound of every episode; saw {missed[0]}",
    )
    assert env_id is not None
    mean, width = _scaled(env_id, ends)
    require(
        mean >= 1 - width - 1e-9,
        subject.name,
        f"expected the oracle to reach the reference, 1 on the normalised scale; saw {mean:.3f}, "
        f"less than its interval of {width:.3f} allows",
    )
    return f"{mean:.2f} on the normalised scale"


def check_judge(target: Target) -> str:
    """A network that rewards is not the one that judges: the entry names both, and they differ.

    Raises:
        AssertionError: The entry names critics and no judge, or the same network as both.
    """
    subject = Subject.of(target)
    spec = subject.spec()
    if spec is None or not is_ours(spec.id):
        return "no entry names a network that rewards"
    entry = find(spec.id)
    if not entry.critics:
        return "no network rewards"
    require(
        entry.judges,
        subject.name,
        f"expected its entry to name judges beside its critics, {', '.join(entry.critics)}",
    )
    both = sorted({*entry.critics} & {*entry.judges})
    require(
        not both, subject.name, f"expected judges that reward nothing; {', '.join(both)} does both"
    )
    return f"rewarded by {', '.join(entry.critics)}, judged by {', '.join(entry.judges)}"


def _scaled_id(subject: Subject) -> str | None:
    """The id whose scale holds for what a target makes, if one does."""
    spec = subject.spec()
    if spec is None or not is_ours(spec.id) or not has_scale(spec.id):
        return None
    changed = {key for key in spec.kwargs if spec.kwargs[key] != find(spec.id).kwargs.get(key)}
    return spec.id if changed <= {"backend", "render_mode"} else None


def _naive(
    env: gym.Env[Any, Any], episodes: int, constant_episodes: int, most: int
) -> Iterator[tuple[str, Player, int]]:
    """Names, players and numbers of episodes."""
    yield "random play", RandomPlay(env), episodes
    every = list(constants(env.action_space))
    for action in every[:: max(1, math.ceil(len(every) / most))]:
        name = f"constant play of {np.asarray(action).tolist()}"
        yield name, ConstantPlay(env, action), constant_episodes


def _play(
    name: str, env: gym.Env[Any, Any], player: Player, seeds: Sequence[int], env_id: str | None
) -> list[End]:
    """The ends of episodes, on the split test where there is one; fails beyond a bound."""
    test = env_id is not None and "test" in find(env_id).splits
    options = {"split": "test"} if test else None
    ends = [_end(name, episode(env, player, seed, options)) for seed in seeds]
    beyond = [end for end in ends if end.bound is not None and not end.at_bound]
    signs = {math.copysign(1.0, end.score - end.bound) for end in beyond if end.bound is not None}
    known = env_id is not None and {1.0 if references(env_id)["better"] == "lower" else -1.0}
    require(
        signs <= known if known else len(signs) <= 1,
        name,
        f"expected no score beyond its bound; saw {[(end.score, end.bound) for end in beyond]}",
    )
    return ends


def _end(name: str, info: dict[str, Any]) -> End:
    score, problem, bound = info.get("score"), info.get("problem"), info.get("bound")
    require(
        isinstance(score, float) and math.isfinite(score),
        name,
        f"expected info['score'] at the last step to be a finite float; saw {score!r}",
    )
    require(
        problem is None or (isinstance(problem, str) and problem != ""),
        name,
        f"expected info['problem'] at the last step to be a text; saw {problem!r}",
    )
    require(
        bound is None or (isinstance(bound, float) and math.isfinite(bound)),
        name,
        f"expected info['bound'] at the last step to be a finite float; saw {bound!r}",
    )
    assert isinstance(score, float)
    return End(score, problem, bound)


def _scaled(env_id: str, ends: Sequence[End]) -> tuple[float, float]:
    """Mean normalised score of episodes, and half the width of its interval.

    The interval is that of the episodes and of the scale's own noise.
    """
    table = references(env_id)
    values, noises = [], []
    for end in ends:
        value = normalised(env_id, end.score, end.problem, end.bound)
        if value is None:
            continue
        row = table.get("shares") or table.get("problems", {}).get(end.problem)
        values.append(value)
        noises.append(row["noise"] / abs(row["reference"] - row["floor"]) if row else 0.0)
    if len(values) < 2:  # of which nothing can be said
        return (values or [0.0])[0], math.inf
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    few = float(stdtrit(len(values) - 1, CONFIDENCE)) * error
    return float(np.mean(values)), math.hypot(few, float(ndtri(CONFIDENCE) * np.mean(noises)))
