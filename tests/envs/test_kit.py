"""The kit passes what keeps the contract and catches, with a clear sentence, what breaks it."""

import re
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs import testing
from envs.testing.subject import LegalActions, is_legal
from envs.testing.trajectory import leaves
from hardware_sim.errors import InputError
from tests.envs import walks

SHORT = {
    "check_long_rollout_memory": partial(
        testing.check_long_rollout_memory, steps=1_000, warm_up=200
    )
}


def run(name: str, target: testing.Target) -> str:
    return SHORT.get(name, testing.CHECKS[name])(target)


def test_an_environment_that_keeps_the_contract_passes_every_check() -> None:
    seen = testing.check(walks.GOOD)
    assert list(seen) == list(testing.CHECKS)
    assert not [line for line in seen.values() if line.startswith("not applicable")]


def test_a_class_is_a_target_too() -> None:
    seen = testing.check(walks.Walk, skip=["check_long_rollout_memory"])
    assert seen["check_vector_equals_single"] == "not applicable: no vector_entry_point"
    assert seen["check_spec_json"] == "not applicable: made without a spec"


@pytest.mark.parametrize("name", ["check_gymnasium", "check_spec_json", "check_bad_actions"])
def test_gymnasiums_own_environment_passes(name: str) -> None:
    assert testing.CHECKS[name]("CartPole-v1")


def test_a_factory_of_this_file_crosses_processes() -> None:
    def factory(**kwargs: Any) -> gym.Env[Any, Any]:
        return walks.Walk(surface="sand", **kwargs)

    assert "100 steps equal" in testing.check_determinism_across_processes(factory, steps=100)


BROKEN = [
    ("check_gymnasium", walks.WarnsOfItsSeed, "default seed argument in reset should be `None`"),
    ("check_spec_json", "WalkByLambda-v0", "expected its spec to become JSON"),
    ("check_bad_arguments", walks.TakesAnySurface, "no-such-surface.* was taken"),
    ("check_bad_arguments", walks.RefusesWithoutReason, "to name no-such-surface; saw: bad"),
    ("check_bad_arguments", walks.CrashesOnItsSurface, "expected ValueError .* saw KeyError"),
    ("check_bad_arguments", "CartPole-v1", "render_mode='no-such-render-mode' .* was taken"),
    ("check_determinism_across_processes", walks.HashOrder, r"differ at record 0: info\['order'\]"),
    ("check_pickle", walks.Unpicklable, "expected it to be pickled; saw: cannot pickle"),
    ("check_pickle", walks.Forgetful, r"info\['surface'\] is 'grass' against 'sand'"),
    ("check_returned_data", walks.SharesItsArray, r"changed record 0: observation\['place'\]"),
    ("check_masks", walks.MasksDiffer, r"expected action_masks\(\) to equal action_mask"),
    ("check_masks", walks.MaskAllowsNothing, "expected a legal action; saw"),
    ("check_masks", walks.MaskOfFloats, "to be int8 of 0 and 1; saw float32"),
    ("check_masks", walks.MaskWithoutMethod, "saw only the observation"),
    ("check_masks", walks.IgnoresTheMask, "saw reward 0.0 and the episode going on"),
    ("check_masks", walks.CrashesOnTheMask, "crashed with IndexError: list index out of range"),
    ("check_bad_actions", walks.TakesMinusOne, r"action -1 outside Discrete\(3\) to raise"),
    ("check_bad_actions", walks.CountsRefusedActions, "to leave the episode as it was"),
    ("check_info_contract", walks.HidesItsReward, "to sum to the reward"),
    ("check_info_contract", walks.KeepsNoScore, r"info\['score'\] at the last step .* saw None"),
    ("check_info_contract", walks.LeavesItsSpace, "expected every observation in the space"),
    ("check_info_contract", "CartPole-v1", "dict of the reward's components; saw None"),
    ("check_naive_play", walks.BeatsItsBound, "expected no score beyond its bound; saw"),
    ("check_naive_play", walks.HasNoBoundAfterAll, "to be a finite float; saw nan"),
    ("check_naive_play", walks.NumbersItsProblem, "to be a text; saw 3"),
    ("check_render_modes", walks.PaintsNothing, "expected a picture; saw one grey level"),
    ("check_render_modes", walks.PaintsFloats, "expected rgb_array to be uint8; saw float64"),
    ("check_render_modes", walks.HasNoPicture, r"expected 'rgb_array' among .* saw \['ansi'\]"),
    ("check_render_modes", walks.MovesWhenWatched, "expected rendering as 'rgb_array' to change"),
    ("check_vector_equals_single", "CartPole-v1", r"expected reset\(seed=\[0, 7, 14\]\) to be"),
    ("check_long_rollout_memory", walks.Grows, "at most 8 MB over 1000 steps; it grew by"),
    ("check_close", walks.LeavesAFile, "expected close.. to leave no file; saw /dev/null"),
    ("check_close", walks.LeavesAThread, "expected close.. to leave no thread; saw forgotten"),
]


@pytest.mark.parametrize(
    ("name", "target", "sentence"),
    BROKEN,
    ids=[f"{name}-{getattr(target, '__name__', target)}" for name, target, _ in BROKEN],
)
def test_a_broken_environment_fails_its_check(
    name: str, target: testing.Target, sentence: str
) -> None:
    walks.LeavesAThread.stop.clear()
    with pytest.raises(AssertionError) as caught:
        run(name, target)
    message = str(caught.value)
    assert message.startswith(getattr(target, "__name__", target))
    assert re.search(sentence, message, re.DOTALL), message
    walks.LeavesAThread.stop.set()
    walks.Grows.kept.clear()


@pytest.mark.parametrize(
    ("vector", "sentence"),
    [
        (walks.RewardsAutoreset, "at autoreset .* reward is 1.0 against 0.0"),
        (walks.SeedsAllAlike, "expected row 1 .* at step 0"),
        (walks.HasNoMasks, r"to have action_masks\(\), as the single class has"),
        (walks.DeclaresNoMode, r"to be AutoresetMode.NEXT_STEP; saw None"),
        (walks.StepsBeyondTheEnd, "at autoreset"),
    ],
)
def test_a_broken_vector_class_fails(vector: type[walks.WalkVector], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        testing.check_vector_equals_single(walks.BROKEN_VECTORS[vector])


def test_every_check_has_a_broken_environment() -> None:
    elsewhere = {"check_judge"}  # in test_scores.py
    assert {name for name, _, _ in BROKEN} | elsewhere == set(testing.CHECKS)


def test_a_process_left_behind_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envs.testing.resources.GRACE_S", 0.2)
    with pytest.raises(AssertionError, match="to leave no process; saw python"):
        testing.check_close(walks.LeavesAProcess)
    while walks.LeavesAProcess.started:
        process = walks.LeavesAProcess.started.pop()
        process.kill()
        process.wait()
    assert re.fullmatch(
        "closed twice, [12] processes gone", testing.check_close(walks.EndsItsProcess)
    )


def test_a_second_close_may_not_raise() -> None:
    with pytest.raises(
        AssertionError, match=r"a second close\(\) to do nothing; it raised ValueError: already"
    ):
        testing.check_close(walks.ClosesOnce)


def test_a_stated_penalty_is_allowed() -> None:
    assert "5 masked-out actions tried" in testing.check_masks(walks.PenalisesTheMask)


def test_check_collects_every_failure() -> None:
    others = [name for name in testing.CHECKS if name not in ("check_info_contract", "check_masks")]
    with pytest.raises(AssertionError) as caught:
        testing.check(walks.HidesItsReward, skip=[*others, "check_masks"])
    assert str(caught.value).startswith("check_info_contract: HidesItsReward: expected")
    with pytest.raises(InputError, match="unknown check 'nothing'"):
        testing.check(walks.GOOD, skip=["nothing"])


def test_what_has_no_exact_text_is_named() -> None:
    with pytest.raises(AssertionError, match=r"info\['x'\] is a object; expected numbers"):
        list(leaves({"x": object()}, "info"))


@settings(deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=4), min_size=1, max_size=4), st.data())
def test_random_actions_are_always_legal(parts: list[list[bool]], data: st.DataObject) -> None:
    for part in parts:
        part[data.draw(st.integers(0, len(part) - 1))] = True
    start = data.draw(st.integers(0, 3))
    mask = np.array([flag for part in parts for flag in part])
    seed = data.draw(st.integers(0, 2**32 - 1))
    sizes = [len(part) for part in parts]
    several = gym.spaces.MultiDiscrete(sizes, start=[start] * len(sizes))
    single = gym.spaces.Discrete(len(mask), start=start)
    for space in (several, single):
        action = LegalActions(space, seed)(mask)
        assert action in space
        assert is_legal(space, mask, action)


def test_an_environment_that_ends_its_process_is_named_and_the_next_one_gets_another() -> None:
    with pytest.raises(AssertionError, match="EndsItself: expected another process to make and"):
        testing.check_determinism_across_processes(walks.EndsItself, steps=5)
    with pytest.raises(AssertionError, match=r"expected another process .*: no answer in 0\.1 s"):
        testing.check_determinism_across_processes(walks.Sleeps, steps=5, timeout_s=0.1)
    assert "5 steps equal" in testing.check_determinism_across_processes(walks.Walk, steps=5)
