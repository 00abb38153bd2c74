"""The placement environment: rewards, memory, masks, looking ahead, options and pictures."""

import json
import os
import subprocess
import sys
from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest

from envs.placement import list_schedule
from envs.placement.batch import OUT_OF_MEMORY_FACTOR
from envs.placement.env import DevicePlacementEnv
from envs.placement.group_graph import GroupGraph
from envs.placement.vector import DevicePlacementVectorEnv
from hardware_sim import reference
from hardware_sim.errors import InputError
from hardware_sim.graph import OpGraph
from tests.envs.placement import interpreted

INCEPTION = {"graphs": ["inception_v3_training"], "cluster": "xeon_2xk80"}
GIB = 2**30


@pytest.fixture
def small(tmp_path):
    """A chain of four ops with 1 GiB of parameters each, on two devices of 2.5 GiB."""
    ops = ["a", "b", "c", "d"]
    graph = OpGraph.build(
        "chain",
        ops,
        pairwise(ops),
        flops=[1e9] * 4,
        output_bytes=[1000] * 4,
        parameter_bytes=[GIB] * 4,
    )
    graph.save(tmp_path / "chain.json")
    device = {
        "name": "small",
        "kind": "gpu",
        "peak_tflops": 1.0,
        "memory_gbs": 100.0,
        "memory_gb": 2.5,
        "overhead_us": 0.0,
        "efficiency": {"default": 1.0},
    }
    link = {"link": {"gbs": 10.0, "latency_us": 1.0}, "devices": [0, 1], "sharing": "pair"}
    cluster = {"devices": [device, device], "interconnect": [link]}
    (tmp_path / "pair.json").write_text(json.dumps(cluster))
    return {"graphs": [str(tmp_path / "chain.json")], "cluster": str(tmp_path / "pair.json")}


def play(env, actions):
    """Rewards and the last info of an episode."""
    env.reset(seed=0)
    rewards, info, ended = [], {}, False
    for action in actions:
        _, reward, ended, _, info = env.step(action)
        rewards.append(reward)
        assert reward == pytest.approx(sum(info["reward"].values()), abs=1e-12)
    assert ended
    return rewards, info


@pytest.mark.parametrize("reward", ["shaped", "final"])
def test_rewards_sum_to_the_root_of_the_relative_makespan(reward):
    env = DevicePlacementEnv(**INCEPTION, reward=reward)
    problem = env.core.graphs[0].problem
    actions = np.random.default_rng(3).integers(1, 3, problem.num_groups)
    rewards, info = play(env, actions)
    assert sum(rewards) == pytest.approx(-np.sqrt(info["score"] / problem.single_device_s))
    assert (np.count_nonzero(rewards) == 1) == (reward == "final")


def test_the_score_is_the_reference_simulators_makespan():
    env = DevicePlacementEnv(**INCEPTION)
    problem = env.core.graphs[0].problem
    actions = np.random.default_rng(4).integers(0, 3, problem.num_groups)
    _, info = play(env, actions)
    judged = reference.simulate(problem, actions)
    assert info["score"] == judged.makespan_s
    assert info["placement"].tolist() == actions.tolist()
    assert info["peak_bytes"].tolist() == judged.peak_bytes.tolist()
    assert info["is_success"] == (judged.makespan_s < problem.single_device_s)


def test_what_is_seen_of_a_device_is_what_placing_there_brings():
    env = DevicePlacementEnv(**INCEPTION)
    rng = np.random.default_rng(5)
    env.reset(seed=0)
    finish, arrival, share = np.empty((3, 1, 3))
    for _ in range(60):
        progress = env.core.progress
        list_schedule.look_ahead(env.core.tables, progress, finish, arrival, share)
        group = int(progress.step[0])
        for device in range(3):
            copy = list_schedule.Progress(*(array.copy() for array in progress))
            rows = np.ones(1, np.bool_)
            list_schedule.place(env.core.tables, copy, rows, np.array([device]))
            assert copy.finish_s[0, group] == finish[0, device]
        env.step(rng.integers(3))


def test_a_placement_that_does_not_fit_counts_as_ten_single_device_steps(small):
    env = DevicePlacementEnv(**small)
    single = env.core.graphs[0].problem.single_device_s
    rewards, info = play(env, [0, 0, 0, 1])
    assert info["score"] == OUT_OF_MEMORY_FACTOR * single
    assert not info["is_success"]
    assert sum(rewards) == pytest.approx(-np.sqrt(OUT_OF_MEMORY_FACTOR))


def test_the_mask_allows_only_what_is_sure_to_fit(small):
    env = DevicePlacementEnv(**small, out_of_memory="mask")
    env.reset(seed=0)
    seen = [env.action_masks().tolist()]
    for action in (0, 0, 1):
        observation, *_ = env.step(action)
        seen.append(observation["action_mask"].astype(bool).tolist())
    assert seen == [[True, True], [True, True], [False, True], [False, True]]
    _, _, ended, _, info = env.step(1)
    assert ended
    assert info["score"] < OUT_OF_MEMORY_FACTOR * env.core.graphs[0].problem.single_device_s


def test_a_masked_out_device_ends_the_episode_with_the_failing_signal(small):
    env = DevicePlacementEnv(**small, out_of_memory="mask")
    rewards, info = play(env, [0, 0, 0])
    assert info["score"] == OUT_OF_MEMORY_FACTOR * env.core.graphs[0].problem.single_device_s
    assert sum(rewards) == pytest.approx(-np.sqrt(OUT_OF_MEMORY_FACTOR))
    with pytest.raises(InputError, match="ended"):
        env.step(0)


def test_masked_placements_always_fit():
    env = gym.make("envs:DevicePlacement-BERT24-v0").unwrapped
    rng = np.random.default_rng(6)
    problem = env.core.graphs[0].problem
    for _ in range(20):
        env.reset()
        ended = False
        while not ended:
            action = rng.choice(np.flatnonzero(env.action_masks()))
            _, _, ended, _, info = env.step(action)
        assert (info["peak_bytes"] <= problem.capacity).all()


def test_options_pick_the_graph():
    env = gym.make("envs:DevicePlacement-Mixed-v0").unwrapped
    for name in env.core.names:
        observation, info = env.reset(options={"graph": name})
        assert info["graph"] == name
        assert observation["node_mask"].sum() == len(env.core.graphs[env.core.names.index(name)])
    drawn = {env.reset(seed=seed)[1]["graph"] for seed in range(40)}
    assert drawn == set(env.core.names)
    with pytest.raises(InputError, match="unknown graph"):
        env.reset(options={"graph": "vgg"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"graphs": []}, "at least one"),
        ({"graphs": ["inception_v9"]}, "inception_v3"),
        ({"cluster": "moon"}, "xeon_4xk80"),
        ({"reward": "dense"}, "shaped"),
        ({"out_of_memory": "ignore"}, "penalty"),
        ({"render_mode": "human"}, "rgb_array"),
    ],
)
def test_bad_arguments_name_what_is_allowed(change, message):
    with pytest.raises(InputError, match=message):
        DevicePlacementEnv(**{**INCEPTION, **change})


def test_an_action_that_is_no_device_is_refused():
    env = DevicePlacementEnv(**INCEPTION)
    env.reset(seed=0)
    with pytest.raises(InputError, match="action is 3; allowed: 0 to 2"):
        env.step(3)


def test_an_op_that_fits_on_no_device_is_refused(small, tmp_path):
    graph = OpGraph.build("big", ["huge"], [], flops=[1.0], parameter_bytes=[3 * GIB])
    graph.save(tmp_path / "big.json")
    with pytest.raises(InputError, match=r"'huge'.*fits on no device"):
        DevicePlacementEnv(**{**small, "graphs": [str(tmp_path / "big.json")]})


def test_groups_contract_to_an_acyclic_graph_that_keeps_cost_and_traffic():
    env = DevicePlacementEnv(**INCEPTION)
    graph: GroupGraph = env.core.graphs[0]
    assert (graph.edges[:, 0] < graph.edges[:, 1]).all()
    assert graph.cost_s.sum(axis=0) == pytest.approx(graph.problem.compute_s.sum(axis=0))
    ops = graph.problem.graph
    crossing = ops.groups[ops.edges[:, 0]] != ops.groups[ops.edges[:, 1]]
    assert graph.edge_bytes.sum() == ops.edge_bytes[crossing].sum()


def test_a_reset_mask_restarts_only_its_rows():
    env = DevicePlacementVectorEnv(3, **INCEPTION)
    env.reset(seed=0)
    env.step(np.array([1, 1, 1]))
    observation, info = env.reset(options={"reset_mask": np.array([False, True, False])})
    assert env.core.progress.step.tolist() == [1, 0, 1]
    assert info["_graph"].tolist() == [False, True, False]
    assert observation["nodes"][1].sum() < observation["nodes"][0].sum()
    with pytest.raises(InputError, match="reset_mask"):
        env.reset(options={"reset_mask": np.array([True])})


def test_pictures_show_the_devices_before_and_after_the_end():
    env = DevicePlacementEnv(**INCEPTION, render_mode="rgb_array")
    env.reset(seed=0)
    orange = np.array([0xE6, 0x9F, 0x00])
    shares = []
    ended = False
    while not ended:
        if env.core.progress.step[0] in (0, 100):
            shares.append((env.render() == orange).all(axis=2).mean())
        _, _, ended, _, _ = env.step(2)
    frame = env.render()
    shares.append((frame == orange).all(axis=2).mean())
    assert frame.shape == (640, 960, 3)
    assert shares[0] == 0
    assert min(shares[1:]) > 0.01


def test_without_a_compiler_an_episode_is_the_same(capsys) -> None:
    interpreted.main()
    child = subprocess.run(
        [sys.executable, "-m", "tests.envs.placement.interpreted"],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert child.stdout == capsys.readouterr().out
    assert child.stderr.splitlines() == [
        "NUMBA_DISABLE_JIT is set: hardware_sim.reference simulates, slowly"
    ]
