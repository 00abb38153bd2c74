"""The natively vectorised class and copies of the single one go the same way."""

import warnings
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array, iterate

from envs.testing.subject import LegalActions, Subject, Target, current_mask, require
from envs.testing.trajectory import Record, difference, reset_record, step_record


def check_vector_equals_single(
    target: Target, num_envs: int = 3, episodes: int = 2, seed: int = 0, max_steps: int = 5_000
) -> str:
    """Each row of the native vector class equals a single environment, to the last bit.

    Row ``i`` is seeded with ``seed + i`` and given the same random legal actions as its copy.
    Compared are observations, rewards, flags, infos and action masks of every step through
    several episodes, the last observation and the autoreset step (NEXT_STEP: the action is
    ignored, the reward is 0, observation and info are the reset's) included.

    Args:
        target: An id or a factory.
        num_envs: Number of rows.
        episodes: Episodes that every row must finish.
        seed: Seed of the first row.
        max_steps: Most steps until they have.

    Raises:
        AssertionError: They differ, or an episode does not end in time.
    """
    subject = Subject.of(target)
    spec = subject.spec()
    if spec is None or spec.vector_entry_point is None:
        return "not applicable: no vector_entry_point"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a missing autoreset mode is checked below
        vector = gym.make_vec(target if isinstance(target, str) else spec, num_envs=num_envs)
    singles = [subject.make() for _ in range(num_envs)]
    _check_shape(subject.name, vector, singles[0])
    _check_seed_list(subject.name, vector, singles, seed)
    steps = _play(subject.name, vector, singles, episodes, seed, max_steps)
    vector.close()
    for single in singles:
        single.close()
    return f"{num_envs} rows, {steps} steps, {episodes} or more episodes each"


def _check_shape(name: str, vector: VectorEnv[Any, Any, Any], single: gym.Env[Any, Any]) -> None:
    """Fails unless the class declares NEXT_STEP and has the single environment's spaces."""
    mode = vector.metadata.get("autoreset_mode")
    require(
        mode == AutoresetMode.NEXT_STEP,
        name,
        f"expected metadata['autoreset_mode'] of {type(vector).__name__} to be "
        f"AutoresetMode.NEXT_STEP; saw {mode}",
    )
    for kind in ("observation_space", "action_space"):
        mine, theirs = getattr(vector, f"single_{kind}"), getattr(single, kind)
        require(
            mine == theirs, name, f"expected single_{kind} of the vector class {theirs}; saw {mine}"
        )


def _check_seed_list(
    name: str, vector: VectorEnv[Any, Any, Any], singles: list[gym.Env[Any, Any]], seed: int
) -> None:
    """Fails unless a list seeds the rows one by one."""
    seeds = [seed + 7 * i for i in range(len(singles))]
    # Gymnasium's own vector classes take a list as well, though the base class does not list it.
    reset: Callable[..., tuple[Any, dict[str, Any]]] = vector.reset
    try:
        observations, infos = reset(seed=list(seeds))
    except (TypeError, ValueError, gym.error.Error) as error:
        raise AssertionError(
            f"{name}: expected reset(seed={seeds}) to be taken, a seed a row; saw: {error}"
        ) from error
    for i, single in enumerate(singles):
        expected = reset_record(*single.reset(seed=seeds[i]))
        found = difference(_row(vector, observations, infos, i), expected)
        require(found is None, name, f"expected reset(seed={seeds}) to seed row {i} alone: {found}")


def _row(
    vector: VectorEnv[Any, Any, Any], observations: Any, infos: dict[str, Any], i: int
) -> Record:
    """The record of a row's observation and info."""
    observation = list(iterate(vector.observation_space, observations))[i]
    return reset_record(observation, row_info(infos, i))


def row_info(infos: dict[str, Any], i: int) -> dict[str, Any]:
    """The info of one row: the entries whose mask ``_key`` is set there.

    Raises:
        AssertionError: An entry has no mask.
    """
    found = {}
    for key, value in infos.items():
        if f"_{key}" not in infos:
            if key.startswith("_") and key[1:] in infos:
                continue
            raise AssertionError(f"vector info {key!r} has no mask '_{key}' beside it")
        if infos[f"_{key}"][i]:
            found[key] = row_info(value, i) if isinstance(value, dict) else value[i]
    return found


def _play(
    name: str,
    vector: VectorEnv[Any, Any, Any],
    singles: list[gym.Env[Any, Any]],
    episodes: int,
    seed: int,
    max_steps: int,
) -> int:
    """Steps both until every row has ended often enough; the number of steps."""
    rows = range(len(singles))
    actions = [LegalActions(single.action_space, seed + i) for i, single in enumerate(singles)]
    now = [single.reset(seed=seed + i)[0] for i, single in enumerate(singles)]
    vector.reset(seed=seed)
    ended, finished = [False for _ in rows], [0 for _ in rows]
    for step in range(max_steps):
        # The action of a row that starts anew is ignored: an unmasked one shows that it is.
        chosen = [actions[i](None if ended[i] else current_mask(singles[i], now[i])) for i in rows]
        batch = concatenate(
            vector.single_action_space,
            chosen,
            create_empty_array(vector.single_action_space, len(chosen)),
        )
        observations, rewards, terminated, truncated, infos = vector.step(batch)
        for i, single in enumerate(singles):
            if ended[i]:
                now[i], info = single.reset()
                expected = step_record(now[i], 0.0, False, False, info)
            else:
                outcome = single.step(chosen[i])
                now[i], expected = outcome[0], step_record(*outcome)
            seen = _row(vector, observations, infos, i)
            seen |= step_record((), rewards[i], terminated[i], truncated[i], {})
            found = difference(_without_empty(seen), _without_empty(expected))
            kind = "autoreset" if ended[i] else "step"
            require(
                found is None,
                name,
                f"expected row {i} of {type(vector).__name__} to equal the single environment; at "
                f"{kind} {step} the vector's {found}",
            )
            _check_row_mask(name, vector, single, i)
            ended[i] = expected["terminated"] == "True" or expected["truncated"] == "True"
            finished[i] += ended[i]
        if min(finished) >= episodes and not any(ended):
            return step + 1
    raise AssertionError(
        f"{name}: expected {episodes} episodes a row within {max_steps} steps; saw {finished}"
    )


def _without_empty(record: Record) -> Record:
    """A record without the length of the observation that a bare step record lacks."""
    return {path: text for path, text in record.items() if path != "len(observation)"}


def _check_row_mask(
    name: str, vector: VectorEnv[Any, Any, Any], single: gym.Env[Any, Any], i: int
) -> None:
    """Fails unless both classes allow the same actions."""
    if not single.has_wrapper_attr("action_masks"):
        return
    method = getattr(vector, "action_masks", None)
    require(
        method is not None,
        name,
        f"expected {type(vector).__name__} to have action_masks(), as the single class has",
    )
    assert method is not None
    mine = method()[i]
    theirs = single.get_wrapper_attr("action_masks")()
    require(
        np.array_equal(mine, theirs),
        name,
        f"expected row {i} of action_masks() to be {theirs}; saw {mine}",
    )
