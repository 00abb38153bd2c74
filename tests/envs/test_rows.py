"""The machine for rows: one core, driven alone and as a vector, here and in every domain."""

import dataclasses
import inspect
from collections.abc import Iterator
from functools import reduce
from importlib import import_module
from operator import add
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from hypothesis import given
from hypothesis import strategies as st

from envs import infos, testing
from envs.registration import CURRENT
from envs.rows import Outcome, RowEnv, RowsEnv, whole_actions
from hardware_sim.errors import InputError
from tests.envs.countdown import ID, CountdownEnv, CountdownVectorEnv

FIRST = {CURRENT[name].vector_entry_point: name for name in reversed(CURRENT)}
FIRST.pop(None, None)
"""The first id of each vector class."""


def loaded(entry_point: str) -> Any:
    module, _, name = entry_point.partition(":")
    return getattr(import_module(module), name)


def test_a_core_and_two_small_classes_keep_the_whole_contract() -> None:
    seen = testing.check(ID)
    assert not [line for line in seen.values() if line.startswith("not applicable")]


def test_a_step_alone_gives_numbers_of_python() -> None:
    env = CountdownEnv(price=0.25)
    observation, info = env.reset(options={"start": 4})
    assert info == {"start": "from 4"}
    assert observation["left"].tolist() == [4]
    _, reward, terminated, truncated, info = env.step(np.int64(0))
    assert info == {"reward": {"goal": 0.0, "steps": -0.25, "illegal": 0.0}, "less": 1}
    assert [type(value) for value in (reward, terminated, truncated)] == [float, bool, bool]
    assert env.action_masks().tolist() == [True] * 3
    _, reward, terminated, _, info = env.step(2)
    assert terminated
    assert reward == 0.75
    assert list(info) == ["reward", "less", "score", "is_success", "count"]
    assert (info["score"], info["is_success"], info["count"].tolist()) == (0.0, True, [0, 2])
    assert [type(info[key]) for key in ("less", "score", "is_success")] == [int, float, bool]
    with pytest.raises(InputError, match="has ended"):
        env.step(0)


def test_the_end_comes_by_limit_too() -> None:
    env = CountdownEnv("high")
    env.reset(seed=0)
    ends = [env.step(0)[2:4] for _ in range(4)]
    assert ends == [(False, False)] * 3 + [(False, True)]
    assert env.ended


def test_infos_of_rows_name_the_rows_they_are_of() -> None:
    env = CountdownVectorEnv(3, price=0.0)
    _, info = env.reset(options={"start": 4})
    assert info["start"].tolist() == ["from 4"] * 3
    _, rewards, terminated, truncated, info = env.step(np.array([0, 2, 0]))
    assert (list(info), not terminated.any()) == (["reward", "_reward", "less", "_less"], True)
    _, rewards, terminated, truncated, info = env.step(np.array([2, 0, 0]))
    assert rewards.tolist() == [1.0, 1.0, 0.0]
    assert terminated.tolist() == [True, True, False]
    assert not truncated.any()
    assert info["_score"].tolist() == info["_is_success"].tolist() == [True, True, False]
    assert info["count"][:2].tolist() == [[0, 2], [0, 2]]
    assert env.action_masks().shape == (3, 3)
    assert env.ended.tolist() == [True, True, False]


def test_an_ended_row_starts_anew_whatever_its_action() -> None:
    env = CountdownVectorEnv(2)
    env.reset(options={"start": 3})
    env.step(np.array([2, 0]))
    observations, rewards, terminated, truncated, info = env.step(np.array([77, 0]))
    assert rewards.tolist() == [0.0, -0.1]
    assert not (terminated | truncated).any()
    assert 3 <= observations["left"][0, 0] < 7
    assert info["start"].tolist() == [f"from {observations['left'][0, 0]}", None]
    assert info["_start"].tolist() == [True, False]
    assert info["_reward"].tolist() == info["reward"]["_goal"].tolist() == [False, True]


def test_rows_that_were_never_reset_start_at_the_first_step() -> None:
    env = CountdownVectorEnv(2)
    env.reset(seed=1, options={"reset_mask": np.array([True, False])})
    _, rewards, _, _, info = env.step(np.array([0, 0]))
    assert info["_start"].tolist() == [False, True]
    assert rewards.tolist() == [-0.1, 0.0]


def test_options_hold_until_the_next_reset() -> None:
    env = CountdownVectorEnv(2)
    env.reset(options={"start": 1})
    env.step(np.array([0, 0]))
    observations, *_ = env.step(np.array([0, 0]))
    assert observations["left"].tolist() == [[1], [1]]
    env.reset(options={"reset_mask": np.array([True, False])})
    env.step(np.array([2, 0]))
    observations, *_ = env.step(np.array([2, 0]))
    assert observations["left"][1, 0] >= 3
    with pytest.raises(InputError, match="start is 13; allowed: 1 to 12"):
        env.reset(options={"start": 13})
    with pytest.raises(InputError, match=r"reset_mask has shape \(3,\); expected \(2,\)"):
        env.reset(options={"reset_mask": np.ones(3, bool)})


def test_options_that_the_core_does_not_know_are_refused_before_anything_changes() -> None:
    single, vector = CountdownEnv(), CountdownVectorEnv(2)
    for env in (single, vector):
        env.reset(seed=0)
        with pytest.raises(InputError, match="unknown option 'stop'; allowed: start"):
            env.reset(seed=1, options={"stop": 4})
    assert not single.ended
    assert single.np_random_seed == 0
    assert vector.options == {}
    with pytest.raises(InputError, match="unknown option 'reset_mask'"):
        single.reset(options={"reset_mask": np.ones(1, bool)})


@pytest.mark.parametrize("name", [name for name in FIRST.values() if not name.startswith("WoB-")])
def test_every_core_knows_its_options(name: str) -> None:
    core: Any = gym.make(f"envs:{name}").unwrapped
    assert core.core.options
    for key in core.core.options:
        with pytest.raises(InputError, match="allowed: "):
            core.reset(options={key: -1})
    with pytest.raises(InputError, match=f"unknown option 'no'; allowed: .*{core.core.options[0]}"):
        core.reset(options={"no": 1})


def test_a_refused_action_changes_nothing() -> None:
    env = CountdownVectorEnv(2)
    env.reset(seed=0)
    before = env.core.left.copy()
    for actions in ([0, 3], [-1, 0], [0.0, 1.0], [0], [[0], [0]]):
        with pytest.raises(InputError, match="action"):
            env.step(np.array(actions))
    assert np.array_equal(env.core.left, before)
    assert env.core.steps.tolist() == [0, 0]


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_the_vector_class_takes_the_arguments_of_the_single_one() -> None:
    shown = str(inspect.signature(CountdownVectorEnv))
    assert shown == (
        "(num_envs: int, starts: str = 'low', price: float = 0.1, render_mode: str | None = None)"
    )
    env = CountdownVectorEnv(2, "high", render_mode="ansi")
    assert env.metadata == {
        **CountdownEnv.metadata,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }
    env.reset(options={"start": 9})
    assert env.render() == ("9 left", "9 left")
    assert CountdownVectorEnv(2).render() is None
    with pytest.raises(TypeError, match="'stars'"):
        CountdownVectorEnv(2, stars="low")
    with pytest.raises(InputError, match="unknown starts 'middle'"):
        CountdownVectorEnv(2, starts="middle")
    with pytest.raises(InputError, match=r"unknown render_mode 'human'.*rgb_array"):
        CountdownVectorEnv(2, render_mode="human")
    with pytest.raises(InputError, match="num_envs is 0"):
        CountdownVectorEnv(0)


def test_closing_closes_the_core() -> None:
    single, vector = CountdownEnv(), CountdownVectorEnv(2)
    single.close()
    vector.close()
    vector.close()
    assert (single.core.closed, vector.core.closed) == (1, 1)


def test_rows_that_could_not_start_still_wait() -> None:
    env = CountdownVectorEnv(2)
    env.reset(options={"start": 1})
    env.step(np.array([0, 0]))
    env.core.starts = (0, 0)
    with pytest.raises(ValueError, match="high <= 0"):
        env.step(np.array([0, 0]))
    assert env.ended.all()


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=7))
def test_a_reward_is_the_sum_of_its_parts_in_their_order(values: list[float]) -> None:
    parts = {str(i): np.array([value]) for i, value in enumerate(values)}
    outcome = Outcome(parts, np.array([False]), np.array([False]))
    assert outcome.reward.tolist() == [reduce(add, values)]
    assert not any(np.shares_memory(outcome.reward, part) for part in parts.values())


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.int64, np.uint64])
def test_whole_actions_are_checked_where_rows_step(kind: type[np.integer[Any]]) -> None:
    rows = np.array([True, False, True])
    taken = whole_actions(np.array([4, 9, 0], kind), rows, 5)
    assert (taken.dtype, taken.tolist()) == (np.int64, [4, 0, 0])
    pairs = whole_actions(np.array([[4, 1], [9, 9], [0, 0]], kind), rows, (5, 2))
    assert pairs.tolist() == [[4, 1], [0, 0], [0, 0]]
    with pytest.raises(InputError, match="action is 5; allowed: 0 to 4"):
        whole_actions(np.array([0, 0, 5], kind), rows, 5)
    with pytest.raises(InputError, match=r"action is \[0, 2\]; allowed: 0 to 4, 0 to 1"):
        whole_actions(np.array([[0, 1], [9, 9], [0, 2]], kind), rows, (5, 2))
    most = np.iinfo(kind).max
    with pytest.raises(InputError, match=f"action is {most}; allowed"):
        whole_actions(np.array([most, 0, 0], kind), rows, 5)


def test_whole_actions_have_one_shape_and_no_fractions() -> None:
    rows = np.array([True, True])
    for actions in (np.zeros(3, int), np.zeros((2, 1), int), np.zeros(2), np.array(["a", "b"])):
        with pytest.raises(InputError, match=r"expected integers \(2,\)"):
            whole_actions(actions, rows, 5)
    with pytest.raises(InputError, match="action is -1; allowed: 0 to 4"):
        whole_actions(np.array([-1, 0]), rows, 5)


@pytest.mark.parametrize("entry_point", sorted(set(FIRST) - {"envs.web.vector:WebVectorEnv"}))
def test_every_vector_class_has_the_arguments_of_its_single_class(entry_point: str) -> None:
    vector, single = loaded(entry_point), loaded(CURRENT[FIRST[entry_point]].entry_point)
    assert issubclass(vector, RowsEnv)
    first, *rest = inspect.signature(vector).parameters.values()
    assert first.name == "num_envs"
    assert rest == list(inspect.signature(single).parameters.values())
    assert issubclass(single, RowEnv)
    assert list(single.drawings) == single.metadata["render_modes"]


def arrays(value: Any, seen: set[int]) -> Iterator[np.ndarray]:
    """Every array that can be reached from a value through our objects and collections."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        if value.dtype != object:
            yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from arrays(part, seen)
    elif isinstance(value, list | tuple | set | frozenset):
        for part in value:
            yield from arrays(part, seen)
    elif type(value).__module__.startswith(("envs.", "hardware_sim.", "tests.")):
        if dataclasses.is_dataclass(value):
            yield from arrays(
                {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}, seen
            )
        yield from arrays(getattr(value, "__dict__", {}), seen)


def shared(returned: Any, kept: list[np.ndarray]) -> list[str]:
    """Returned arrays that use memory of kept ones."""
    return [
        f"{mine.dtype}{mine.shape}"
        for mine in arrays(returned, set())
        if any(np.may_share_memory(mine, other) for other in kept)
    ]


@pytest.mark.parametrize("name", [*FIRST.values(), ID])
def test_nothing_that_is_returned_is_memory_of_the_environment(name: str) -> None:
    """Looked at are the reset, the first step, the first ends and the steps after them."""
    env_id = name if ":" in name else f"envs:{name}"
    vector = gym.make_vec(env_id, num_envs=2)
    single = gym.make(env_id, **({"backend": "twin"} if name.startswith("WoB-") else {}))
    legal = testing.subject.LegalActions(vector.single_action_space, 0)
    joint, alone = vector.reset(seed=0), single.reset(seed=0)
    ends, over = 0, np.zeros(3, bool)
    for step in range(2_000):
        before, over = over, np.zeros(3, bool)
        if step:
            joint = vector.step(np.array([legal(mask != 0) for mask in joint[0]["action_mask"]]))
            alone = (
                single.reset() if before[2] else single.step(legal(alone[0]["action_mask"] != 0))
            )
            over[:2] = joint[2] | joint[3]
            over[2] = len(alone) > 2 and (alone[2] or alone[3])
        if step < 2 or over.any() or before.any():
            for env, returned in ((vector, joint), (single.unwrapped, alone)):
                kept = list(arrays(vars(env), set()))
                assert kept
                assert not shared([returned, env.action_masks()], kept), f"{env} at {step}"
            ends += over.any()
        if ends >= 3 and not over.any():
            break
    assert ends
    vector.close()
    single.close()


def test_a_key_of_rows_that_end_and_rows_that_begin_keeps_both() -> None:
    ended, begun = np.array([True, False, False]), np.array([False, True, False])
    names = np.array(["a", "b", None], object)
    first = infos.columns({"problem": names, "place": np.arange(6).reshape(3, 2)}, ended)
    second = infos.columns({"problem": names, "place": np.ones((3, 2), int)}, begun)
    both = infos.joined(first, second)
    assert both["problem"].tolist() == ["a", "b", None]
    assert both["place"].tolist() == [[0, 1], [1, 1], [4, 5]]
    assert both["_problem"].tolist() == both["_place"].tolist() == [True, True, False]
    assert first["place"].tolist()[1] == [2, 3]
