"""The loop scheduling environment beyond the conformance kit."""

import gymnasium as gym
import numpy as np
import pytest

from envs.loops.batch import ILLEGAL_COST, MAX_STEPS, STEP_COST
from envs.loops.env import LoopScheduleEnv
from envs.loops.features import LOOP_FEATURES, MACHINE_FEATURES, PROBLEM_FEATURES
from envs.loops.nest import ACTIONS, STOP, UP, VECTORISE
from envs.loops.problem import CONVOLUTIONS, MATMUL_SIZES
from envs.loops.vector import LoopScheduleVectorEnv
from hardware_sim.errors import InputError
from tests.envs.loops.test_cost import TILED

BOTH = ["matmul", "conv"]


def schedule(env, edits):
    """Takes edits by name; the outcomes."""
    return [env.step(ACTIONS.index(edit)) for edit in edits.split(", ")]


def test_rewards_sum_to_the_best_speed_up_less_the_costs():
    env = LoopScheduleEnv(BOTH)
    env.reset(seed=0, options={"problem": "matmul-256x256x256"})
    outcomes = schedule(env, f"{TILED}, parallel, parallel, stop")
    *_, (observation, _, terminated, _, info) = outcomes
    total = sum(reward for _, reward, *_ in outcomes)
    assert total == pytest.approx(np.log(info["speedup"]) - STEP_COST * len(outcomes))
    assert terminated
    assert info["is_success"]
    assert info["score"] > 0.8 * info["roofline"]
    now, best, share, left = observation["progress"].tolist()
    assert now < best == pytest.approx(np.log(info["speedup"]) / 5)
    assert share == pytest.approx(info["score"] / info["roofline"])
    assert left == pytest.approx(1 - len(outcomes) / MAX_STEPS)
    with pytest.raises(InputError, match="has ended"):
        env.step(STOP)


def test_an_illegal_action_costs_and_changes_nothing():
    env = LoopScheduleEnv(BOTH)
    before, _ = env.reset(seed=3)
    after, reward, terminated, truncated, info = env.step(UP)
    assert reward == pytest.approx(-ILLEGAL_COST - STEP_COST)
    assert info["reward"]["illegal"] == -ILLEGAL_COST
    assert np.array_equal(before["loops"], after["loops"])
    assert not terminated
    assert not truncated


def test_an_episode_is_truncated_at_its_limit():
    env = LoopScheduleEnv(BOTH)
    env.reset(seed=0)
    for _ in range(MAX_STEPS - 1):
        *_, terminated, truncated, _ = env.step(UP)
        assert not terminated
        assert not truncated
    *_, truncated, info = env.step(UP)
    assert truncated
    assert info["speedup"] == 1.0
    assert not info["is_success"]


def test_observations_show_the_nest():
    env = LoopScheduleEnv(BOTH)
    observation, _ = env.reset(options={"problem": "matmul-64x512x256"})
    loops = dict(zip(LOOP_FEATURES, observation["loops"].T, strict=True))
    assert loops["present"].tolist() == [1] * 3 + [0] * 9
    assert loops["extent"][:3].tolist() == pytest.approx([0.6, 0.9, 0.8])
    assert loops["sums"][:3].tolist() == [0, 0, 1]
    assert loops["right moves by one"][:3].tolist() == [0, 1, 0]
    assert loops["cursor"].argmax() == 0
    assert observation["problem"].shape == (len(PROBLEM_FEATURES),)
    assert observation["machine"].shape == (len(MACHINE_FEATURES),)
    schedule(env, "down, split 64, down")
    observation, *_ = env.step(VECTORISE)
    loops = dict(zip(LOOP_FEATURES, observation["loops"].T, strict=True))
    assert loops["vectorised"][:4].tolist() == [0, 0, 0, 1]
    assert loops["step"][1] == pytest.approx(0.6)
    assert loops["cursor"].argmax() == 2


@pytest.mark.parametrize("split", ["train", "test"])
def test_problems_come_from_their_split(split):
    env = LoopScheduleVectorEnv(64, BOTH)
    _, info = env.reset(seed=0, options={"split": split})
    products = [name for name in info["problem"] if name.startswith("matmul")]
    assert 16 < len(products) < 48
    sizes = {int(size) for name in products for size in name[7:].split("x")}
    assert sizes <= set(MATMUL_SIZES[split])
    assert set(info["problem"]) - set(products) <= set(CONVOLUTIONS[split])


def test_operations_can_be_chosen():
    _, info = LoopScheduleVectorEnv(16, ["conv"]).reset(seed=0)
    assert all(name.startswith("conv") for name in info["problem"])


def test_bad_arguments_and_options_name_what_is_allowed():
    with pytest.raises(InputError, match="some of matmul, conv"):
        LoopScheduleEnv([])
    with pytest.raises(InputError, match="1 to 64"):
        LoopScheduleEnv(BOTH, threads=0)
    env = LoopScheduleEnv(BOTH)
    with pytest.raises(InputError, match="train"):
        env.reset(options={"split": "validation"})
    with pytest.raises(InputError, match="matmul-MxNxK"):
        env.reset(options={"problem": "softmax"})


def test_one_thread_is_never_parallel():
    env = LoopScheduleEnv(BOTH, threads=1)
    env.reset(seed=0)
    assert not env.action_masks()[ACTIONS.index("parallel")]
    two = LoopScheduleEnv(BOTH, threads=2)
    two.reset(seed=0)
    assert two.action_masks()[ACTIONS.index("parallel")]


def test_pictures_show_kinds_and_the_accumulators():
    env = LoopScheduleEnv(BOTH, render_mode="rgb_array")
    env.reset(options={"problem": "matmul-64x64x64"})
    colours = [(0xE6, 0x9F, 0x00), (0xCC, 0x79, 0xA7)]
    before = env.render()
    schedule(env, f"{TILED}, parallel")
    after = env.render()
    assert after.shape == (640, 960, 3)
    for colour in colours:
        assert (before == colour).all(axis=2).sum() == 0
        assert (after == colour).all(axis=2).sum() > 1_000


def test_text_shows_the_nest_and_its_rates():
    env = gym.make("envs:LoopSchedule-v0", render_mode="ansi")
    env.reset(options={"problem": "conv-14x14x256-256-3x3"})
    title, first, *_ = env.render().splitlines()
    assert title.startswith("conv-14x14x256-256-3x3: ")
    assert title.endswith("roofline 236.8")
    assert first == "> for y in 14"


def test_a_reset_mask_restarts_only_its_rows():
    env = LoopScheduleVectorEnv(3, BOTH)
    env.reset(seed=0)
    env.step(np.array([UP, UP, UP]))
    _, info = env.reset(options={"reset_mask": np.array([False, True, False])})
    assert env.core.steps.tolist() == [1, 0, 1]
    assert info["_problem"].tolist() == [False, True, False]
    with pytest.raises(InputError, match="reset_mask"):
        env.reset(options={"reset_mask": np.array([True])})
