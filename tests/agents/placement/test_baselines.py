"""Heuristics and search for placement, on cases small enough to know the answer."""

from itertools import product
from pkgutil import resolve_name

import gymnasium as gym
import numpy as np
import pytest

from agents.loading import load_agent
from agents.placement import heuristics, search
from agents.tables import BASELINES
from hardware_sim import library
from hardware_sim.devices import Cluster
from hardware_sim.errors import InputError
from hardware_sim.graph import OpGraph
from hardware_sim.problem import PlacementProblem
from hardware_sim.simulator import evaluate

PLANS = ("single_device", "round_robin", "expert", "heft", "etf", "min_cut")


def problem_of(graph, devices=2, memory_gb=12.0):
    device = {
        "name": "gpu",
        "kind": "gpu",
        "peak_tflops": 1.0,
        "memory_gbs": 1e6,
        "memory_gb": memory_gb,
        "overhead_us": 0.0,
        "efficiency": {"default": 1.0},
    }
    link = {"gbs": 1.0, "latency_us": 0.0}
    wires = {"link": link, "devices": list(range(devices)), "sharing": "pair"}
    cluster = Cluster.from_json("test", {"devices": [device] * devices, "interconnect": [wires]})
    return PlacementProblem.build(graph, cluster)


@pytest.fixture(scope="module")
def inception():
    cluster = Cluster.load("xeon_4xk80")
    return PlacementProblem.build(library.load("inception_v3_training"), cluster)


@pytest.mark.parametrize("plan", PLANS)
def test_every_heuristic_places_every_group(inception, plan):
    placement = getattr(heuristics, plan)(inception)
    result = evaluate(inception, placement[None])
    assert placement.shape == (inception.num_groups,)
    assert result.fits[0]


def test_workers_leave_out_the_slow_processor(inception):
    assert heuristics.workers(inception).tolist() == [1, 2, 3, 4]


def test_the_expert_cuts_inception_into_contiguous_parts_of_equal_length(inception):
    placement = heuristics.expert(inception)
    assert (np.diff(placement) >= 0).all()
    assert np.ptp(np.bincount(placement)[1:]) <= 1


def test_the_published_expert_is_used_where_there_is_one():
    problem = PlacementProblem.build(library.load("msr_bert24"), Cluster.load("6xv100_msr"))
    assert heuristics.expert(problem).tolist() == library.expert_placement("msr_bert24").tolist()


@pytest.mark.parametrize("plan", ["heft", "etf"])
def test_schedulers_balance_independent_ops(plan):
    graph = OpGraph.build("fan", list("abcdef"), [], flops=[3e9, 3e9, 2e9, 2e9, 1e9, 1e9])
    placement = getattr(heuristics, plan)(problem_of(graph))
    load = np.bincount(placement, weights=graph.flops)
    assert load.tolist() == [6e9, 6e9]


@pytest.mark.parametrize("plan", ["heft", "etf"])
def test_schedulers_keep_a_chain_with_heavy_edges_together(plan):
    graph = OpGraph.build(
        "chain", list("abc"), [("a", "b"), ("b", "c")], flops=[1e9] * 3, output_bytes=[10**9] * 3
    )
    assert len(set(getattr(heuristics, plan)(problem_of(graph)).tolist())) == 1


@pytest.mark.parametrize("plan", ["heft", "etf"])
def test_schedulers_respect_the_room_for_parameters(plan):
    graph = OpGraph.build(
        "heavy", list("abcd"), [], flops=[1.0, 1e9, 1e9, 1e9], parameter_bytes=[2**30] * 4
    )
    problem = problem_of(graph, memory_gb=2.5)
    placement = getattr(heuristics, plan)(problem)
    assert evaluate(problem, placement[None]).fits[0]


def test_min_cut_cuts_the_light_edge():
    edges = [("a", "b"), ("b", "c"), ("c", "d")]
    graph = OpGraph.build(
        "path", list("abcd"), edges, flops=[1e9] * 4, output_bytes=[10**9, 10, 10**9, 0]
    )
    a, b, c, d = heuristics.min_cut(problem_of(graph)).tolist()
    assert a == b != c == d


def test_min_cut_lowers_the_traffic_of_contiguous_parts(inception):
    def traffic(placement):
        device = placement[inception.graph.groups][inception.graph.edges]
        return inception.graph.edge_bytes[device[:, 0] != device[:, 1]].sum()

    assert traffic(heuristics.min_cut(inception)) < traffic(heuristics.expert(inception))


def test_annealing_finds_the_optimum_of_a_small_graph():
    graph = library.layered(8, seed=3)
    problem = problem_of(graph)
    everything = np.array(list(product(range(2), repeat=8)))
    optimum = evaluate(problem, everything).makespan_s.min()
    assert search.annealing(problem, 2_000, seed=0).makespan_s == optimum


@pytest.mark.parametrize("finder", [search.annealing, search.random_search])
def test_searches_spend_their_evaluations_and_repeat(inception, finder):
    first, second = finder(inception, 200, seed=7), finder(inception, 200, seed=7)
    assert first.placement.tolist() == second.placement.tolist()
    assert len(first.history_s) == first.evaluations == 200
    assert (np.diff(first.history_s) <= 0).all()
    assert first.history_s[-1] == first.makespan_s
    assert evaluate(inception, first.placement[None]).makespan_s[0] == first.makespan_s
    with pytest.raises(InputError, match="at least 1"):
        finder(inception, 0, seed=7)


def test_search_beats_its_start_and_chance(inception):
    annealed = search.annealing(inception, 2_000, seed=0).makespan_s
    assert annealed < inception.single_device_s
    assert annealed < search.random_search(inception, 2_000, seed=0).makespan_s


def played(name):
    """The last info of an episode of BERT-24 that a baseline plays, and the problem."""
    env = gym.make("envs:DevicePlacement-BERT24-v0")
    agent = load_agent(name, env)
    observation, info = env.reset(seed=0)
    agent.reset(0)
    ended = False
    while not ended:
        observation, _, ended, _, info = env.step(agent.act(observation, info))
    return info, env.unwrapped.core.graphs[0].problem


def test_every_heuristic_and_search_is_a_baseline():
    plans = [plan.replace("_", "-") for plan in PLANS]
    assert sorted(BASELINES["placement"]) == sorted([*plans, "annealing", "random-search"])


@pytest.mark.parametrize("plan", PLANS)
def test_a_heuristic_agent_follows_its_plan(plan):
    info, problem = played(plan.replace("_", "-"))
    planned = getattr(heuristics, plan)(problem)
    assert info["placement"].tolist() == planned.tolist()
    assert info["score"] == evaluate(problem, planned[None]).makespan_s[0]


def test_search_agents_place_what_they_found_better_than_the_heuristics():
    annealed, problem = played("annealing")
    drawn, _ = played("random-search")
    for name, finder, info in (
        ("annealing", search.annealing, annealed),
        ("random-search", search.random_search, drawn),
    ):
        agent = resolve_name(BASELINES["placement"][name])
        found = finder(problem, agent.evaluations, seed=0)
        assert info["placement"].tolist() == found.placement.tolist()
        assert info["score"] == found.makespan_s
    expert = evaluate(problem, heuristics.expert(problem)[None]).makespan_s[0]
    assert annealed["score"] < expert < drawn["score"] < problem.single_device_s


def test_baselines_refuse_other_domains():
    with pytest.raises(InputError):
        load_agent("heft", gym.make("CartPole-v1"))
