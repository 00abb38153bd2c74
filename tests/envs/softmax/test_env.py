"""The adaptive softmax environment: rewards, masks, the optimum, problems and pictures."""

from itertools import product

import gymnasium as gym
import numpy as np
import pytest

from envs.softmax.batch import ILLEGAL_REWARD, STOP, SUCCESS_REGRET
from envs.softmax.env import AdaptiveSoftmaxEnv
from envs.softmax.plan import DIV_VALUES, LOSS_PRICE, exhaustive
from envs.softmax.problems import PLACES, SPLITS, places, tables
from envs.softmax.vector import AdaptiveSoftmaxVectorEnv
from hardware_sim.errors import InputError

PROBLEM = {"problem": "en-50000-b256-d1024"}


def play(env, actions, options=PROBLEM):
    """Rewards and the last info of an episode."""
    env.reset(seed=0, options=options)
    rewards, info, ended = [], {}, False
    for action in actions:
        _, reward, ended, _, info = env.step(np.array(action))
        rewards.append(reward)
        assert reward == pytest.approx(sum(info["reward"].values()), abs=1e-12)
    assert ended
    return rewards, info


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("divisor", [0, 2])
def test_rewards_sum_to_the_log_of_the_speed_up_less_the_priced_loss(count, divisor):
    env = AdaptiveSoftmaxEnv()
    chosen = [3, 9, 15, 20][:count]
    actions = [(place, divisor) for place in chosen] + [(STOP, divisor)] * (count < 4)
    rewards, info = play(env, actions)
    problem = env.core.tables.problems[env.core.problem[0]]
    cutoffs = places(50_000)[chosen].tolist()
    plan = problem.plan(cutoffs, DIV_VALUES[divisor])
    assert sum(rewards) == pytest.approx(np.log(plan.speed_up) - LOSS_PRICE * plan.loss)
    assert info["cutoffs"].tolist() == cutoffs + [0] * (4 - count)
    assert info["div_value"] == DIV_VALUES[divisor]
    assert info["speed_up"] == pytest.approx(plan.speed_up)
    assert info["regret"] == pytest.approx(env.core.tables.best[env.core.problem[0]] - sum(rewards))
    assert info["score"] == pytest.approx(np.exp(-info["regret"]))
    assert info["is_success"] == (info["regret"] <= SUCCESS_REGRET)


def test_the_outlook_is_what_the_next_cut_brings():
    env = AdaptiveSoftmaxEnv()
    for history in ([], [(4, 1)], [(4, 1), (12, 1)], [(2, 2), (8, 2), (16, 2)]):
        env.reset(options=PROBLEM)
        for action in history:
            observation, *_ = env.step(np.array(action))
        observation = env.core.observe()
        outlook, mask = observation["outlook"][0], observation["action_mask"][0]
        for divisor, place in product(range(4), range(0, PLACES, 3)):
            if not (mask[place] and mask[PLACES + 1 + divisor]):
                assert outlook[divisor, place] == 0
                continue
            env.reset(options=PROBLEM)
            for action in history:
                env.step(np.array(action))
            reward = env.step(np.array([place, divisor]))[1]
            assert reward == pytest.approx(outlook[divisor, place], abs=1e-5)


def test_no_plan_beats_the_bound_and_the_exhaustive_optimum_reaches_it():
    found = tables(LOSS_PRICE)
    row = found.names.index("bg-20000-b128-d512")
    best = exhaustive(found.problems[row], found.places[row][::3], loss_price=LOSS_PRICE)
    value = np.log(best.speed_up) - LOSS_PRICE * best.loss
    assert value <= found.best[row] + 1e-9
    assert found.best[row] - value < 0.3
    assert (found.best > 1).all()


def test_every_cut_keeps_a_dimension_for_its_tail():
    env = AdaptiveSoftmaxEnv()
    env.reset(options={"problem": "en-50000-b256-d256"})
    env.step(np.array([1, 3]))
    *_, ended, _, info = env.step(np.array([5, 3]))
    assert ended
    assert info["div_value"] == 8
    assert np.count_nonzero(info["cutoffs"]) == 2


def test_the_divisor_is_kept_and_cuts_rise():
    env = AdaptiveSoftmaxEnv()
    observation, _ = env.reset(options=PROBLEM)
    assert observation["action_mask"].tolist() == [1] * PLACES + [0] + [1] * 4
    observation, *_ = env.step(np.array([10, 1]))
    assert observation["action_mask"].tolist() == [0] * 11 + [1] * 14 + [0, 1, 0, 0]
    assert env.action_masks().tolist() == observation["action_mask"].astype(bool).tolist()


@pytest.mark.parametrize("action", [(5, 1), (10, 1), (12, 2)])
def test_an_illegal_action_ends_the_episode_with_the_penalty(action):
    env = AdaptiveSoftmaxEnv()
    rewards, info = play(env, [(10, 1), action])
    assert rewards[-1] == ILLEGAL_REWARD
    assert info["score"] == 0
    assert not info["is_success"]
    with pytest.raises(InputError, match="ended"):
        env.step(np.array([STOP, 1]))


def test_stopping_at_once_is_illegal():
    rewards, _ = play(AdaptiveSoftmaxEnv(), [(STOP, 0)])
    assert rewards == [ILLEGAL_REWARD]


def test_an_action_outside_the_space_is_refused():
    env = AdaptiveSoftmaxEnv()
    env.reset(seed=0)
    for action in ([25, 0], [0, 4], [-1, 0], [0.5, 0.0], [0], 3):
        with pytest.raises(InputError, match="action"):
            env.step(np.array(action))


def test_the_splits_share_no_language_vocabulary_batch_or_width():
    for values in zip(*(zip(*SPLITS[name], strict=True) for name in SPLITS), strict=True):
        train, test = map(set, values)
        assert not train & test


def test_options_pick_split_and_problem():
    env = gym.make("envs:AdaptiveSoftmax-v0").unwrapped
    for split in SPLITS:
        names = {env.reset(seed=s, options={"split": split})[1]["problem"] for s in range(150)}
        rows = env.core.tables.rows[split]
        assert names <= {env.core.tables.names[row] for row in rows}
        assert len(names) > 0.7 * len(rows)
    assert AdaptiveSoftmaxEnv(split="test").reset(seed=0)[1]["problem"][:2] in ("bg", "da", "el")
    with pytest.raises(InputError, match="unknown split"):
        env.reset(options={"split": "validation"})
    with pytest.raises(InputError, match="unknown problem"):
        env.reset(options={"problem": "en-1-b1-d1"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": "all"}, "train"),
        ({"loss_price": -1.0}, "0 or more"),
        ({"loss_price": float("nan")}, "0 or more"),
        ({"render_mode": "human"}, "rgb_array"),
    ],
)
def test_bad_arguments_name_what_is_allowed(change, message):
    with pytest.raises(InputError, match=message):
        AdaptiveSoftmaxEnv(**change)
    with pytest.raises(InputError, match=message):
        AdaptiveSoftmaxVectorEnv(2, **change)


def test_a_reset_mask_restarts_only_its_rows():
    env = AdaptiveSoftmaxVectorEnv(3)
    env.reset(seed=0)
    env.step(np.array([[1, 1]] * 3))
    observation, info = env.reset(options={"reset_mask": np.array([False, True, False])})
    assert env.core.tails.tolist() == [1, 0, 1]
    assert info["_problem"].tolist() == [False, True, False]
    assert observation["progress"][1].tolist() == [0] * 9
    with pytest.raises(InputError, match="reset_mask"):
        env.reset(options={"reset_mask": np.array([True])})


def test_pictures_and_text_show_the_clusters():
    env = AdaptiveSoftmaxEnv(render_mode="rgb_array")
    env.reset(seed=0, options=PROBLEM)
    blue = np.array([0x00, 0x72, 0xB2])
    before = env.render()
    env.step(np.array([10, 2]))
    after = env.render()
    assert before.shape == after.shape == (540, 960, 3)
    assert (before == blue).all(axis=2).sum() == 0
    assert (after == blue).all(axis=2).sum() > 500
    env = AdaptiveSoftmaxEnv(render_mode="ansi")
    env.reset(seed=0, options=PROBLEM)
    assert "full softmax" in env.render()
    env.step(np.array([10, 2]))
    lines = env.render().splitlines()
    head, tail = lines[2].split(), lines[3].split()
    assert head[:4] == ["head", "0", "to", f"{places(50_000)[10]:,}"]
    assert tail[1] == "1"
    total = float(head[-1]) + float(tail[-1])
    problem = env.core.tables.problems[env.core.problem[0]]
    assert total == pytest.approx(problem.full_ms / np.exp(env.core.time[0]), rel=1e-3)
