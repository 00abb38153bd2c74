"""Legal and illegal actions, and the figures an environment hands out with each step."""

import math
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.testing.interface import CLEAR_ERRORS
from envs.testing.subject import (
    LegalActions,
    Subject,
    Target,
    current_mask,
    is_legal,
    mask_size,
    require,
)
from envs.testing.trajectory import difference, step_record

CRASHES = (ArithmeticError, LookupError, AttributeError, TypeError, RuntimeError, OSError)


def check_masks(target: Target, steps: int = 300, seed: int = 0, illegal: int = 5) -> str:
    """Masks are whole, true and kept.

    In every state that a random rollout reaches, ``observation["action_mask"]`` (int8, 0 or 1)
    equals ``action_masks()``, at least one action is legal, and none that is masked out is
    sampled. A masked-out action brings a clear error or a stated penalty (a negative reward or
    the end of the episode), never a crash and never nothing.

    Args:
        target: An id or a factory.
        steps: Length of the rollout.
        seed: Seed of the first reset and the actions.
        illegal: Number of states in which a masked-out action is tried.

    Raises:
        AssertionError: One of these does not hold.
    """
    subject = Subject.of(target)
    env = subject.make()
    name, space = subject.name, env.action_space
    observation, _ = env.reset(seed=seed)
    in_observation = isinstance(observation, dict) and "action_mask" in observation
    has_method = env.has_wrapper_attr("action_masks")
    if not in_observation and not has_method:
        env.close()
        return "not applicable: every action is always legal"
    require(
        in_observation and has_method,
        name,
        "expected both observation['action_mask'] and action_masks(); saw only "
        f"{'the observation' if in_observation else 'the method'}",
    )
    actions, tries = LegalActions(space, seed), 0
    history: list[Any] = []
    for _ in range(steps):
        mask = _check_mask(name, env, observation, space)
        if tries < illegal and not mask.all():
            tries += _check_masked_out(subject, seed, history, mask)
        action = actions(mask)
        require(is_legal(space, mask, action), name, f"sampled {action}, which {mask} masks out")
        history.append(action)
        observation, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            seed, history = seed + 1, []
            observation, _ = env.reset(seed=seed)
    env.close()
    return f"{steps} states, {tries} masked-out actions tried"


def _check_mask(
    name: str, env: gym.Env[Any, Any], observation: Any, space: gym.Space[Any]
) -> NDArray[np.bool_]:
    """The mask of a state, once it has been found whole."""
    given, method = observation["action_mask"], np.asarray(env.get_wrapper_attr("action_masks")())
    require(
        given.dtype == np.int8 and np.isin(given, (0, 1)).all(),
        name,
        f"expected action_mask to be int8 of 0 and 1; saw {given.dtype} {np.unique(given)}",
    )
    require(
        given.size == mask_size(space),
        name,
        f"expected action_mask to have {mask_size(space)} entries for {space}; saw {given.size}",
    )
    mask: NDArray[np.bool_] = given.ravel() != 0
    require(
        np.array_equal(mask, method.ravel() != 0),
        name,
        f"expected action_masks() to equal action_mask, {mask}; saw {method}",
    )
    nvec = space.nvec.ravel() if isinstance(space, gym.spaces.MultiDiscrete) else [mask.size]
    parts = np.split(mask, np.cumsum(nvec)[:-1])
    require(all(part.any() for part in parts), name, f"expected a legal action; saw {mask}")
    return mask


def _check_masked_out(
    subject: Subject, seed: int, history: list[Any], mask: NDArray[np.bool_]
) -> int:
    """Tries a masked-out action in the state that a history leads to; 1 if there was one."""
    env = subject.make()
    env.reset(seed=seed)
    for action in history:
        env.step(action)
    everything = LegalActions(env.action_space, len(history))
    choices = (everything() for _ in range(100 * mask.size))
    bad = next((x for x in choices if not is_legal(env.action_space, mask, x)), None)
    if bad is None:
        return 0
    outcome = _outcome(subject.name, env, bad)
    env.close()
    if outcome is not None:
        _, reward, terminated, truncated, _ = outcome
        require(
            reward < 0 or terminated or truncated,
            subject.name,
            f"expected masked-out action {bad} to be an error or a stated penalty; saw reward "
            f"{reward} and the episode going on",
        )
    return 1


def _outcome(name: str, env: gym.Env[Any, Any], action: Any) -> tuple[Any, ...] | None:
    """The results of an illegal action's step; ``None`` if it raised a clear error."""
    try:
        return env.step(action)
    except CLEAR_ERRORS as error:
        require(
            str(error) and "\n" not in str(error),
            name,
            f"expected illegal action {action} to give a reason in one line; saw {str(error)!r}",
        )
        return None
    except CRASHES as error:
        raise AssertionError(
            f"{name}: expected a clear error or a penalty for illegal action {action}; it crashed "
            f"with {type(error).__name__}: {error}"
        ) from error


def check_bad_actions(target: Target, seed: int = 0) -> str:
    """Actions outside the space raise one clear sentence and leave the episode as it was.

    Tried are the numbers beside a Discrete or MultiDiscrete range, fractions, NaN, infinity and the
    greatest integers; for a Box NaN, infinity and what lies beyond its
    bounds; for a Text a number, as its characters and length may be the environment's own affair.

    Raises:
        AssertionError: Such an action is taken, crashes, or disturbs the episode.
    """
    subject = Subject.of(target)
    env, twin = subject.make(), subject.make()
    tried = []
    for bad in _outside(env.action_space):
        observation, _ = env.reset(seed=seed)
        twin.reset(seed=seed)
        outcome = _outcome(subject.name, env, bad)
        require(
            outcome is None,
            subject.name,
            f"expected action {bad!r} outside {env.action_space} to raise; it was taken",
        )
        action = LegalActions(env.action_space, seed)(current_mask(env, observation))
        found = difference(step_record(*env.step(action)), step_record(*twin.step(action)))
        require(
            found is None,
            subject.name,
            f"expected refused action {bad!r} to leave the episode as it was; then {found}",
        )
        tried.append(repr(bad))
    env.close()
    twin.close()
    return ", ".join(tried) or f"not applicable: {type(env.action_space).__name__}"


LEAST, MOST = np.iinfo(np.int64).min, np.iinfo(np.int64).max
"""The ends of what arrays of actions hold."""


def _outside(space: gym.Space[Any]) -> Iterator[Any]:
    """Actions that are not in a space."""
    if isinstance(space, gym.spaces.Discrete):
        yield from (int(space.start) - 1, int(space.start) + int(space.n), int(space.start) + 0.5)
        yield from (math.nan, math.inf, MOST, LEAST)
    elif isinstance(space, gym.spaces.MultiDiscrete):
        start, kinds = np.asarray(space.start, np.float64), (np.int64, np.int64, None, None, None)
        beside = (-1.0, float(space.nvec.flat[-1]), 0.5, math.nan, math.inf)
        for bad, dtype in zip(beside, kinds, strict=True):
            last = np.zeros(start.size)
            last[-1] = bad
            yield (start + last.reshape(start.shape)).astype(dtype)
        yield np.full(start.shape, MOST)
    elif isinstance(space, gym.spaces.Box) and space.dtype is not None and space.dtype.kind == "f":
        yield np.full(space.shape, np.nan, space.dtype)
        yield np.full(space.shape, np.inf, space.dtype)
        if space.is_bounded():
            yield (space.high + 1e6 * (1 + np.abs(space.high))).astype(space.dtype)
    elif isinstance(space, gym.spaces.Text):
        yield 0


def check_info_contract(target: Target, episodes: int = 2, seed: int = 0) -> str:
    """Rewards can be recomputed and every episode ends with its score and success.

    At each step ``info["reward"]`` is a dict of floats whose sum is the reward (within 1e-6 of
    its size); at the last one ``info["score"]`` is a finite float and ``info["is_success"]`` a
    bool. Every observation, the last included, lies in the observation space.

    Args:
        target: An id or a factory.
        episodes: Number of random episodes, each played to its end.
        seed: Seed of the first reset and the actions.

    Raises:
        AssertionError: One of these does not hold.
    """
    subject = Subject.of(target)
    env = subject.make()
    actions = LegalActions(env.action_space, seed)
    scores = []
    for episode in range(episodes):
        observation, info = env.reset(seed=seed + episode)
        ended = False
        while not ended:
            action = actions(current_mask(env, observation))
            observation, reward, terminated, truncated, info = env.step(action)
            ended = terminated or truncated
            require(
                observation in env.observation_space,
                subject.name,
                f"expected every observation in the space; one after "
                f"{'the last' if ended else 'a'} step is not",
            )
            _check_components(subject.name, float(reward), info)
        _check_end(subject.name, info)
        scores.append(f"{info['score']:.4g}")
    env.close()
    return f"scores of random episodes: {', '.join(scores)}"


def _check_components(name: str, reward: float, info: dict[str, Any]) -> None:
    """Fails unless ``info["reward"]`` adds up to the reward."""
    parts = info.get("reward")
    require(
        isinstance(parts, dict) and parts,
        name,
        f"expected info['reward'] to be a dict of the reward's components; saw {parts!r}",
    )
    assert isinstance(parts, dict)
    wrong = {key: value for key, value in parts.items() if not isinstance(value, float)}
    require(not wrong, name, f"expected floats in info['reward']; saw {wrong}")
    total = math.fsum(parts.values())
    require(
        abs(total - reward) <= 1e-6 * max(1.0, abs(reward)),
        name,
        f"expected info['reward'] to sum to the reward {reward}; {parts} sums to {total}",
    )


def _check_end(name: str, info: dict[str, Any]) -> None:
    """Fails unless the info of a last step has the score and the success."""
    score, success = info.get("score"), info.get("is_success")
    require(
        isinstance(score, float) and math.isfinite(score),
        name,
        f"expected info['score'] at the last step to be a finite float; saw {score!r}",
    )
    require(
        isinstance(success, bool | np.bool_),
        name,
        f"expected info['is_success'] at the last step to be a bool; saw {success!r}",
    )
