"""The compact-feature environment: rewards, masks, the exact optimum, the table, the real thing."""

import pickle
from itertools import product

import gymnasium as gym
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from agents.compact.baselines import Greedy, Oracle, Uniform
from agents.kinds import player
from agents.rollout import ending
from agents.view import View
from envs.compact.batch import ILLEGAL
from envs.compact.env import CompactFeatureEnv
from envs.compact.network import small_cnn
from envs.compact.surrogate import fit, predict
from envs.compact.table import load_table
from envs.compact.vector import CompactFeatureVectorEnv
from hardware_sim.errors import InputError

SETTING = {"batch": 32, "price": 0.2, "budget": 1.0}


def play(env, actions, **options):
    """Rewards and the last info of an episode."""
    env.reset(seed=0, options=SETTING | options)
    rewards, info, ended = [], {}, False
    for action in actions:
        _, reward, ended, _, info = env.step(action)
        rewards.append(reward)
        assert reward == pytest.approx(sum(info["reward"].values()), abs=1e-12)
    assert ended
    return rewards, info


@pytest.mark.parametrize("choice", [(0, 0, 0, 0, 0), (2, 3, 1, 4, 2), (4, 4, 4, 4, 4)])
def test_the_score_can_be_recomputed_from_the_measurements(choice):
    table = load_table()
    rewards, info = play(CompactFeatureEnv(), choice)
    measured = table.record["seconds"]["32"]
    blocks = [
        measured["layers"][i][choice[i - 1] if i else 0][choice[i]] for i in range(len(choice))
    ]
    seconds = sum(blocks) + measured["head"][choice[-1]]
    whole = sum(rows[0][0] for rows in measured["layers"]) + measured["head"][0]
    kept = [int(table.kept[i, c]) for i, c in enumerate(choice)]
    lost = predict(
        table.record["accuracy"]["coefficients"], [np.array(kept) / np.array(table.widths)]
    )[0]
    assert info["kept"].tolist() == kept
    assert info["speedup"] == pytest.approx(whole / seconds)
    assert info["points_lost"] == pytest.approx(lost)
    assert info["score"] == pytest.approx(np.log2(whole / seconds) - 0.2 * lost)
    assert sum(rewards) == pytest.approx(info["score"])


def test_the_original_scores_nothing():
    _, info = play(CompactFeatureEnv(), [0] * 5)
    assert info["score"] == 0
    assert (info["speedup"], info["points_lost"]) == (1, 0)


def test_parameters_are_those_of_the_networks():
    table = load_table()
    for choice in ((0, 0, 0, 0, 0), (1, 2, 3, 4, 0), (4, 3, 2, 1, 2)):
        network = small_cnn(table.kept[np.arange(5), choice].tolist())
        assert table.parameters[choice] == sum(p.numel() for p in network.parameters())


def test_regret_is_counted_from_the_best_of_all_choices():
    env = CompactFeatureEnv()
    table, rng = load_table(), np.random.default_rng(0)
    for batch, price, budget in product((1, 32), (0.1, 0.4), (1.0, 0.25)):
        within = table.parameters <= budget * table.parameters.flat[0]
        gain = np.log2(table.seconds[batch].flat[0] / table.seconds[batch]) - price * table.lost
        env.reset(seed=0, options={"batch": batch, "price": price, "budget": budget})
        ended = False
        while not ended:
            _, _, ended, _, info = env.step(rng.choice(np.flatnonzero(env.action_masks())))
        assert info["score"] + info["regret"] == pytest.approx(gain[within].max())


def test_the_mask_allows_exactly_what_can_still_meet_the_budget():
    table, budget = load_table(), 0.25
    env = CompactFeatureEnv(budgets=[budget])
    share = table.parameters / table.parameters.flat[0]
    rng = np.random.default_rng(1)
    narrowed = 0
    for seed in range(20):
        env.reset(seed=seed)
        prefix = ()
        for _ in range(5):
            mask = env.action_masks()
            for choice in range(5):
                assert mask[choice] == (share[(*prefix, choice)].min() <= budget)
            narrowed += not mask.all()
            prefix = (*prefix, int(rng.choice(np.flatnonzero(mask))))
            env.step(prefix[-1])
        assert share[prefix] <= budget
    assert narrowed > 0


def test_a_masked_out_choice_ends_the_episode_with_the_stated_penalty():
    rewards, info = play(CompactFeatureEnv(), [0, 4, 0, 0], budget=0.25)
    assert rewards[-1] == ILLEGAL
    assert info["score"] == pytest.approx(sum(rewards))
    assert not info["is_success"]
    assert info["kept"].tolist() == [32, 16, 64, 0, 0]


def test_choices_show_what_they_bring():
    env = CompactFeatureEnv()
    observation, _ = env.reset(seed=0, options=SETTING)
    for action in (1, 3, 2, 4, 2):
        shown = observation["choices"][action]
        before = observation["context"][3]
        observation, _, _, _, info = env.step(action)
        assert info["reward"]["speed"] == pytest.approx(shown[1] - before, abs=1e-5)
    assert not observation["choices"].any()
    assert observation["layers"][:, 3].all()


def test_agents_rank_as_they_should_and_the_oracle_has_no_regret():
    env = gym.make("envs:CompactFeature-v0")
    scores = {}
    for kind in (Uniform, Greedy, Oracle):
        agent, scores[kind] = player(kind(View.of(env)), env), []
        for seed in range(40):
            info = ending(env, agent, seed).info
            scores[kind].append(info["score"])
            assert info["speedup"] > 0
            if kind is Oracle:
                assert info["regret"] == pytest.approx(0, abs=1e-12)
                assert info["is_success"]
    assert (np.array(scores[Oracle]) >= np.array(scores[Greedy]) - 1e-12).all()
    assert (np.array(scores[Oracle]) >= np.array(scores[Uniform]) - 1e-12).all()
    with pytest.raises(InputError, match="makes feature maps compact"):
        Oracle(gym.make("CartPole-v1"))


def test_the_surrogate_fits_its_own_kind_and_estimates_its_error():
    rng = np.random.default_rng(0)
    shares = rng.choice([1, 0.5, 0.25], (80, 3))
    truth = rng.uniform(0, 2, size=6)
    lost = predict(truth, shares)
    assert predict(fit(shares, lost), shares) == pytest.approx(lost, abs=0.05)
    assert predict(truth, np.ones((1, 3)))[0] == 0
    assert fit(shares, lost - 9).min() == 0
    accuracy = load_table().record["accuracy"]
    table = load_table()
    held_out = accuracy["designs"][4::5]
    chosen = tuple(np.array([row["choice"] for row in held_out]).T)
    measured = 100 * (accuracy["whole"] - np.array([row["accuracy"] for row in held_out]))
    error = np.sqrt(((table.lost[chosen] - measured) ** 2).mean())
    assert error == pytest.approx(accuracy["held_out_rmse_points"])
    assert error < accuracy["held_out_spread_points"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batches": [2]}, "allowed: 1, 32"),
        ({"batches": []}, "at least one"),
        ({"prices": [-1.0]}, "0 to 16"),
        ({"budgets": [0.01]}, "to 1"),
        ({"budgets": [1.5]}, "to 1"),
        ({"backend": "guess"}, "measured"),
        ({"backend": "measured"}, "needs data"),
        ({"backend": "measured", "data": ".", "network": "nowhere"}, "no file"),
        ({"data": "."}, "measured"),
        ({"render_mode": "human"}, "rgb_array"),
    ],
)
def test_bad_arguments_name_what_is_allowed(change, message):
    with pytest.raises(InputError, match=message):
        CompactFeatureEnv(**change)


def test_options_pick_the_setting_and_others_are_refused():
    env = CompactFeatureEnv()
    _, info = env.reset(seed=3, options={"batch": 1, "budget": 0.5})
    assert (info["batch"], info["budget"]) == (1, 0.5)
    drawn = {tuple(env.reset(seed=seed)[1].values()) for seed in range(150)}
    assert len(drawn) == 18
    with pytest.raises(InputError, match=r"price is 3; allowed: 0.1, 0.2, 0.4"):
        env.reset(options={"price": 3})


def test_a_reset_mask_restarts_only_its_rows():
    env = CompactFeatureVectorEnv(3)
    env.reset(seed=0, options=SETTING)
    env.step(np.array([1, 1, 1]))
    _, info = env.reset(options={"reset_mask": np.array([False, True, False])})
    assert (env.core.node > 0).tolist() == [True, False, True]
    assert info["_batch"].tolist() == [False, True, False]
    with pytest.raises(InputError, match="reset_mask"):
        env.reset(options={"reset_mask": np.array([True])})


def test_pictures_and_text_show_what_is_kept():
    env = CompactFeatureEnv(render_mode="rgb_array")
    env.reset(seed=0, options=SETTING)
    blue = np.array([0x00, 0x72, 0xB2])
    shares = [(env.render() == blue).all(axis=2).mean()]
    for action in (0, 2, 0, 1, 2):
        env.step(action)
        shares.append((env.render() == blue).all(axis=2).mean())
    assert shares[0] == 0
    assert (np.diff(shares) > 0).all()
    words = CompactFeatureEnv(render_mode="ansi")
    words.reset(seed=0, options=SETTING)
    assert "> map 1:   ? of 32" in words.render()
    for action in (0, 2, 0, 1, 2):
        _, _, _, _, info = words.step(action)
    assert "map 2:  32 of 64" in words.render()
    assert (
        f"{info['speedup']:.2f} times as fast, {info['points_lost']:.1f} points" in words.render()
    )


def test_the_real_thing_is_compacted_tuned_and_timed(tmp_path):
    (tmp_path / "data").mkdir()
    rng = np.random.default_rng(0)
    for name, count in (("data_batch_1", 2_560), ("test_batch", 10)):
        data = rng.integers(256, size=(count, 3_072), dtype=np.uint8)
        batch = {"data": data, "labels": [i % 10 for i in range(count)]}
        (tmp_path / "data" / name).write_bytes(pickle.dumps(batch, protocol=2))
    torch.manual_seed(0)
    save_file(small_cnn().state_dict(), tmp_path / "network.safetensors")
    env = CompactFeatureEnv(
        backend="measured",
        data=str(tmp_path / "data"),
        network=str(tmp_path / "network.safetensors"),
    )
    assert not env.deterministic
    rewards, info = play(env, [0, 0, 0, 0, 4])
    assert info["speedup"] > 1
    assert abs(info["points_lost"]) <= 20  # blank networks guess, before and after
    assert sum(rewards) == pytest.approx(np.log2(info["speedup"]) - 0.2 * info["points_lost"])
    _, info = play(env, [0, 0, 0, 0, 0])
    assert (info["speedup"], info["points_lost"]) == (1, 0)
    save_file({"conv1.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="does not fit"):
        CompactFeatureEnv(
            backend="measured",
            data=str(tmp_path / "data"),
            network=str(tmp_path / "other.safetensors"),
        )
