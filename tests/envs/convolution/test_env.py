"""The tuning environment: rewards, backends, masks, options, what is seen and shown."""

import dataclasses
import math

import gymnasium as gym
import numpy as np
import pytest

from envs.convolution import batch, tables
from envs.convolution.batch import FAILED, SUCCESS, TRIES
from envs.convolution.env import ConvTuningEnv
from envs.convolution.tables import WORK
from envs.convolution.vector import ConvTuningVectorEnv
from hardware_sim.errors import InputError
from hardware_sim.kernels import measuring, roofline, space
from hardware_sim.kernels.layers import LAYERS, find
from hardware_sim.kernels.outcome import Outcome

LASTING = ("products", "transforms", "weight_bytes", "weight_traffic", "block_traffic")
WINOGRAD_4 = (5, 2, 1, 0)


def legal(observation, rng):
    parts = np.split(observation["action_mask"], np.cumsum(space.SIZES)[:-1])
    return np.array([rng.choice(np.flatnonzero(part)) for part in parts])


def play(env, seed=0, **options):
    rng = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed, options=options)
    rewards, infos, ended = [], [info], False
    while not ended:
        observation, reward, ended, _, info = env.step(legal(observation, rng))
        rewards.append(reward)
        infos.append(info)
    return rewards, infos


def best_choice(table):
    speed = np.where(np.isnan(table.speedup), 0, table.speedup)
    return np.array(np.unravel_index(speed.argmax(), speed.shape))


def test_the_shipped_table_holds_every_layer_and_the_space_of_the_kernels():
    found = tables.replay()
    assert [*found] == [*LAYERS]
    assert tables.shipped()["methods"] == [method.name for method in space.METHODS]
    assert [*tables.WORK] == [field.name for field in dataclasses.fields(roofline.Work)]
    for name, table in found.items():
        assert table.speedup.shape == space.SIZES
        assert table.split == LAYERS[name].split
        assert tuple(table.sizes["output"]) == find(name).problem.output
        assert np.nanmax(table.speedup) > 0
        assert (table.compile_s[table.masks[0]] > 0).any()


def test_the_head_describes_the_machine_whose_work_the_table_holds():
    """The work of a method follows from caches and vectors, save for panels, which came later."""
    machine, lasting = tables.measured_on(), [WORK.index(name) for name in LASTING]
    for name, table in tables.replay().items():
        problem = find(name).problem
        assert (space.masks(problem, machine)[0] == table.masks[0]).all()
        for method in np.flatnonzero(table.masks[0]):
            done, _ = roofline.by_default(problem, int(method), machine)
            values = np.array([*vars(done).values()])[lasting]
            assert values.tolist() == table.work[method, lasting].tolist()
    assert machine.isa().width == tables.shipped()["vector_floats"]
    assert len(space.widths(machine)) == space.SIZES[-1]


def test_a_backend_that_measures_shows_the_machine_that_measures(monkeypatch):
    machine = dataclasses.replace(
        tables.measured_on(), instruction_set="portable", l2_bytes=2**19, l3_bytes=2**23
    )
    monkeypatch.setattr(batch, "this_machine", lambda: machine)
    shown = [
        ConvTuningEnv(["ResNet4"], backend=backend).reset(seed=0)[0]
        for backend in ("replay", "measured")
    ]
    replayed, measured = (each["machine"][:4] * 4 for each in shown)
    assert (replayed - measured).tolist() == [0, 1, 2, 2]
    replayed, measured = (each["action_mask"][-2:].tolist() for each in shown)
    assert (replayed, measured) == ([1, 1], [1, 0])
    offered = shown[1]["action_mask"][:13] > 0
    assert (
        (shown[1]["methods"][offered, :10] != shown[0]["methods"][offered, :10]).any(axis=1).all()
    )


def test_measuring_where_the_table_was_measured_plans_what_it_holds():
    measured = tables.layers(["ResNet2", "C3D4b"])
    for table, planned in zip(
        measured, tables.planned(measured, tables.measured_on()), strict=True
    ):
        np.testing.assert_array_equal(planned.speedup, table.speedup)
        assert (planned.estimate > 0).tolist() == table.masks[0].tolist()
        assert (planned.library_s, planned.sizes) == (table.library_s, table.sizes)


def test_the_rewards_of_an_episode_sum_to_the_value_of_what_is_kept_less_costs():
    env = ConvTuningEnv(["ResNet3"], memory_weight=0.02, compile_weight=0.01)
    rewards, infos = play(env)
    table, kept = env.core.tables[0], tuple(infos[-1]["kept"])
    value = math.log(table.speedup[kept])
    value -= 0.02 * math.log2(1 + table.scratch_bytes[kept] / 2**20)
    compiled = {tuple(c) for c in env.core.state.choices[0][:, [0, 3]].tolist()}
    cost = 0.01 * sum(table.compile_s[pair] for pair in compiled)
    assert sum(rewards) == pytest.approx(value - cost)
    assert infos[-1]["score"] == pytest.approx(table.speedup[kept])
    assert len(rewards) == env.core.settings.budget


def test_the_best_variant_of_the_table_is_success_and_its_share_is_one():
    env = ConvTuningEnv(["ResNet2"], budget=1, memory_weight=0.0)
    env.reset(seed=0)
    choice = best_choice(env.core.tables[0])
    _, _, ended, truncated, info = env.step(choice)
    assert (ended, truncated, info["is_success"]) == (True, False, True)
    assert info["share"] == pytest.approx(1)
    assert info["score"] == info["tried"] == pytest.approx(np.nanmax(env.core.tables[0].speedup))
    assert info["kept"].tolist() == choice.tolist()


def test_the_anytime_score_is_the_area_under_the_best_so_far():
    env = ConvTuningEnv(["ResNet2"], budget=4, memory_weight=0.0, score="anytime")
    table = env.core.tables[0]
    order = np.argsort(np.nan_to_num(table.speedup, nan=0.0).ravel())
    fair, best = (np.array(np.unravel_index(order[k], table.speedup.shape)) for k in (-40, -1))
    env.reset(seed=0)
    for choice in (fair, fair, best, fair):
        _, _, ended, _, info = env.step(choice)
    share = math.log(table.speedup[tuple(fair)]) / math.log(table.speedup[tuple(best)])
    assert 0 < share < 1
    assert info["score"] == pytest.approx((2 * share + 2) / 4)
    assert (ended, info["bound"], info["problem"]) == (True, 1.0, "ResNet2")
    assert info["speedup"] == pytest.approx(np.nanmax(table.speedup))


def test_v1_goes_the_way_of_v0_but_for_the_score():
    walks = []
    for version in (0, 1):
        env = gym.make(f"envs:ConvTuning-ResNet5-v{version}")
        rewards, infos = play(env)
        walks.append((rewards, infos[-1].pop("score"), infos[-1].pop("bound"), str(infos[-1])))
    old, new = walks
    assert (old[0], old[3]) == (new[0], new[3])
    assert old[1] <= old[2] != 1.0
    assert new[1] < new[2] == 1.0


def test_the_bound_of_v0_is_that_of_its_score_not_of_the_value():
    env = ConvTuningEnv(["AlexNet2"], budget=1, memory_weight=0.5)
    table = env.core.tables[0]
    env.reset(seed=0)
    _, _, _, _, info = env.step(best_choice(table))
    assert info["score"] <= info["bound"] == np.nanmax(table.speedup)


def test_a_slower_variant_changes_nothing_and_onednn_is_kept():
    env = ConvTuningEnv(["ResNet2"], budget=1, compile_weight=0.0)
    env.reset(seed=0)
    speed = env.core.tables[0].speedup
    slowest = np.array(np.unravel_index(np.nanargmin(speed), speed.shape))
    _, reward, _, _, info = env.step(slowest)
    assert speed[tuple(slowest)] < 1
    assert (reward, info["score"], info["share"]) == (0, 1, 0)
    assert info["kept"].tolist() == [-1] * 4


def test_a_closed_choice_costs_the_penalty_and_a_measurement():
    env = ConvTuningEnv(["AlexNet1"], penalty=0.25)
    observation, _ = env.reset(seed=0)
    assert not observation["action_mask"][WINOGRAD_4[0]]
    observation, reward, _, _, info = env.step(np.array(WINOGRAD_4))
    assert reward == info["reward"]["penalty"] == -0.25
    assert info["tried"] == 0
    assert observation["progress"][1] == pytest.approx(31 / 32)
    assert observation["history"][0, -2:].tolist() == [FAILED, 1]


def test_where_nothing_is_gained_everything_is_success():
    core = ConvTuningEnv().core
    nothing = [name for name, most in zip(core.names, core.greatest, strict=True) if most == 0]
    assert nothing
    _, infos = play(ConvTuningEnv(nothing[:1], budget=2))
    assert infos[-1]["is_success"]
    assert (infos[-1]["score"], infos[-1]["share"]) == (1, 1)


def test_the_last_tries_are_seen_newest_first():
    env = ConvTuningEnv(["ResNet4"])
    observation, _ = env.reset(seed=1)
    assert not observation["history"].any()
    rng, chosen, speeds = np.random.default_rng(1), [], []
    for _ in range(TRIES + 2):
        chosen.append(legal(observation, rng))
        observation, _, _, _, info = env.step(chosen[-1])
        speeds.append(math.log(info["tried"]))
    for i, row in enumerate(observation["history"]):
        parts = np.split(row[:-2], np.cumsum(space.SIZES)[:-1])
        assert [part.argmax() for part in parts] == chosen[-1 - i].tolist()
        assert row[:-2].sum() == 4
        assert row[-2] == pytest.approx(speeds[-1 - i], abs=1e-6)
    methods = np.array(chosen)[:, 0]
    for method in range(space.SIZES[0]):
        mine = [speed for speed, each in zip(speeds, methods, strict=True) if each == method]
        best, tries = observation["methods"][method, -2:]
        assert tries == len(mine) / 4
        assert best == pytest.approx(max(mine, default=0.0), abs=1e-6)


def test_layers_are_drawn_from_the_split_that_is_asked_for():
    env = gym.make("envs:ConvTuning-v1")
    for split, options in (
        ("train", {}),
        ("test", {"split": "test"}),
        ("train", {"split": "train"}),
        ("volumes", {"split": "volumes"}),
    ):
        drawn = {env.reset(seed=seed, options=options)[1]["layer"] for seed in range(20)}
        assert len(drawn) > (3 if split != "volumes" else 1)
        assert {LAYERS[name].split for name in drawn} == {split}
    assert env.reset(options={"layer": "OverFeat1"})[1] == {"layer": "OverFeat1"}
    env.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layers": ["VGG9"]}, "VGG9"),
        ({"layers": []}, "allowed"),
        ({"layers": "VGG1.2"}, "list of layers"),
        ({"split": "validation"}, "split"),
        ({"layers": ["VGG1.2"], "split": "test"}, "no layer"),
        ({"backend": "guess"}, "backend"),
        ({"backend": "model", "model": "no.such:model"}, "is none of ours"),
        ({"model": "roofline"}, "is none of ours"),
        ({"backend": "model", "layers": ["VGG1.2"], "model": lambda *_: np.zeros(3)}, "array"),
        ({"backend": "model", "model": lambda problem: np.zeros(3)}, "no problem and machine"),
        ({"backend": "model", "model": "math:log2"}, "is none of ours"),
        ({"budget": 0}, "budget"),
        ({"penalty": -1.0}, "penalty"),
        ({"memory_weight": math.nan}, "memory_weight"),
        ({"render_mode": "human"}, "render_mode"),
    ],
)
def test_bad_arguments_name_what_is_allowed(arguments, message):
    with pytest.raises(InputError, match=message):
        ConvTuningEnv(**arguments)


def test_bad_options_and_steps_after_the_end_are_errors():
    env = ConvTuningEnv(["ResNet2", "VGG1.2"], budget=1)
    for options in ({"layer": "ResNet9"}, {"split": "valid"}, {"graph": "x"}):
        with pytest.raises(InputError):
            env.reset(options=options)
    env.reset(seed=0)
    env.step(np.array(space.DEFAULT))
    with pytest.raises(InputError, match="reset"):
        env.step(np.array(space.DEFAULT))
    with pytest.raises(InputError, match="num_envs"):
        ConvTuningVectorEnv(0)


def test_a_model_speaks_in_place_of_the_table():
    words = np.full(space.SIZES, np.nan)
    words[:2] = -1.0
    words[1, 2, 1, 0] = 0.5
    env = ConvTuningEnv(["ResNet2"], backend="model", model=lambda *_: words, budget=2)
    observation, _ = env.reset(seed=0)
    assert observation["action_mask"][:13].tolist() == [1, 1] + [0] * 11
    _, _, _, _, info = env.step(np.array([1, 2, 1, 0]))
    assert info["tried"] == pytest.approx(math.exp(0.5))


def test_the_roofline_is_the_model_by_default():
    _, infos = play(ConvTuningEnv(["ResNet4"], backend="model"))
    assert infos[-1]["score"] > 1


def test_measured_variants_are_compiled_checked_and_timed_now(tmp_path, monkeypatch):
    monkeypatch.setenv("GYMWORKS_KERNEL_CACHE", str(tmp_path))
    env = gym.make("envs:ConvTuning-ResNet5-v1", backend="measured", budget=2)
    env.reset(seed=0)
    _, _, _, _, info = env.step(np.array(space.DEFAULT))
    assert info["tried"] > 0
    assert info["reward"]["compile"] < 0
    assert any(tmp_path.glob("*.so"))
    monkeypatch.setattr(
        measuring.Bench, "one", lambda *_: measuring.Measurement(Outcome("crashed", "signal 11"))
    )
    _, _, ended, _, info = env.step(np.array(space.DEFAULT))
    assert (ended, info["tried"]) == (True, 0)
    assert info["reward"]["penalty"] == -env.unwrapped.core.settings.penalty
    env.close()


def test_text_lists_the_tries_and_what_is_kept():
    env = ConvTuningEnv(["ResNet2"], render_mode="ansi")
    env.reset(seed=0)
    assert "kept: oneDNN, 1.00 times" in env.render()
    env.step(best_choice(env.core.tables[0]))
    text = env.render()
    assert "ResNet2: 3x3 kernel, 64 to 64 channels, output 56x56" in text
    assert "kept: Winograd" in text
    assert "31 measurements left" in text


def test_success_is_a_share_of_the_greatest_value(monkeypatch):
    core = ConvTuningEnv(["ResNet2"]).core
    core.state.speed[0] = core.greatest[0] * (SUCCESS + 0.01)
    assert core.is_success()[0]
    core.state.speed[0] = core.greatest[0] * (SUCCESS - 0.01)
    assert not core.is_success()[0]


def test_a_damaged_table_is_an_error(monkeypatch):
    monkeypatch.setattr(tables, "FILE", "convolution/none.json")
    tables.shipped.cache_clear()
    with pytest.raises(InputError, match="cannot be read"):
        tables.shipped()
    monkeypatch.undo()
    tables.shipped.cache_clear()
    assert batch.tables.shipped()["methods"]
