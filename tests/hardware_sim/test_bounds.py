"""Lower bounds: never above a simulated makespan, tight where they should be."""

from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hardware_sim import simulator
from hardware_sim.bounds import lower_bound
from hardware_sim.devices import Cluster
from hardware_sim.errors import InputError
from hardware_sim.problem import PlacementProblem
from tests.hardware_sim.problems import DEVICE, Case, cases, cluster, graphs, problem


def optimum(chosen: PlacementProblem) -> float:
    """The least makespan of all placements that fit; infinite if none does."""
    rows = list(product(range(chosen.num_devices), repeat=chosen.num_groups))
    result = simulator.evaluate(chosen, rows, 1)
    return float(np.where(result.fits, result.makespan_s, np.inf).min())


@settings(max_examples=40, deadline=None)
@given(cases(batch=20))
def test_never_above_any_simulated_makespan(case: Case) -> None:
    chosen, placements = case
    result = simulator.evaluate(chosen, placements, 1)
    assume(result.fits.any())
    assert lower_bound(chosen).value_s <= result.makespan_s[result.fits].min()


@settings(max_examples=30, deadline=None)
@given(graphs(max_ops=6), st.integers(1, 3), st.data())
def test_never_above_the_optimum_with_scarce_memory(graph, count: int, data) -> None:
    kinds = [
        {**DEVICE, "memory_gb": data.draw(st.sampled_from([0.3, 1.0, 4.0]))} for _ in range(count)
    ]
    link = {"link": {"gbs": 10.0, "latency_us": 0.0}, "devices": list(range(count))}
    on = Cluster.from_json("c", {"devices": kinds, "interconnect": [{**link, "sharing": "pair"}]})
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    seconds = rng.lognormal(0, 1, (len(graph), count))
    chosen = PlacementProblem(graph, on, seconds, np.arange(len(graph)))
    best = optimum(chosen)
    try:
        bound = lower_bound(chosen)
    except InputError:
        assert best == np.inf
    else:
        assert bound.value_s <= best


def test_a_chain_is_bound_by_its_critical_path() -> None:
    chosen = problem({"a": [1.0, 2.0], "b": [3.0, 1.0]}, {("a", "b"): 0}, cluster(2))
    bound = lower_bound(chosen)
    assert bound.critical_path_s == bound.value_s == 2.0 == optimum(chosen)
    assert bound.binding == "critical path"


def test_independent_ops_are_bound_by_the_work() -> None:
    chosen = problem(dict.fromkeys("abcdef", 1.0), {}, cluster(3))
    bound = lower_bound(chosen)
    assert bound.work_s == pytest.approx(2.0, rel=1e-9)
    assert optimum(chosen) == 2.0
    assert bound.value_s <= 2.0
    assert bound.critical_path_s == 1.0


def test_work_is_shared_by_speed() -> None:
    chosen = problem({f"o{i}": [1.0, 2.0] for i in range(6)}, {}, cluster(2))
    assert lower_bound(chosen).work_s == pytest.approx(4.0, rel=1e-3)
    assert optimum(chosen) == 4.0


def test_a_fork_and_join_is_bound_by_the_window() -> None:
    middle = [f"m{i}" for i in range(4)]
    edges = {("a", m): 0 for m in middle} | {(m, "z"): 0 for m in middle}
    chosen = problem({"a": 3.0, **dict.fromkeys(middle, 1.0), "z": 2.0}, edges, cluster(2))
    bound = lower_bound(chosen)
    assert bound.window_s == pytest.approx(7.0, rel=1e-9)
    assert optimum(chosen) == 7.0
    assert bound.critical_path_s == 6.0
    assert bound.work_s == pytest.approx(4.5, rel=1e-9)
    assert bound.binding == "window"
    assert bound.value_s == bound.window_s


def test_a_group_is_worked_off_by_one_device() -> None:
    chosen = problem({"a": [4.0, 9.0], "b": [9.0, 4.0]}, {}, cluster(2))
    together = PlacementProblem(
        chosen.graph.with_groups(["x", "x"]), chosen.cluster, chosen.compute_s, chosen.priority
    )
    assert lower_bound(chosen).work_s == pytest.approx(4.0, rel=1e-3)
    assert lower_bound(together).work_s == pytest.approx(6.5, rel=1e-3)


def test_scarce_memory_forces_work_onto_the_slow_device() -> None:
    on = Cluster.from_json(
        "c",
        {
            "devices": [{**DEVICE, "memory_gb": 2}, {**DEVICE, "memory_gb": 100}],
            "interconnect": [
                {"link": {"gbs": 10, "latency_us": 0}, "devices": [0, 1], "sharing": "pair"}
            ],
        },
    )
    seconds = {f"o{i}": [1.0, 10.0] for i in range(6)}
    free = lower_bound(problem(seconds, {}, on))
    held = problem(seconds, {}, on, parameter_bytes=[2**30] * 6)
    assert free.work_s == pytest.approx(60 / 11, rel=1e-3)
    assert lower_bound(held).work_s == pytest.approx(40.0, rel=1e-3)
    assert optimum(held) == 40.0


def test_an_op_that_fits_on_the_slow_device_only() -> None:
    on = Cluster.from_json(
        "c",
        {
            "devices": [{**DEVICE, "memory_gb": 1}, {**DEVICE, "memory_gb": 4}],
            "interconnect": [
                {"link": {"gbs": 10, "latency_us": 0}, "devices": [0, 1], "sharing": "pair"}
            ],
        },
    )
    chosen = problem({"a": [1.0, 5.0]}, {}, on, parameter_bytes=[2 * 2**30])
    assert lower_bound(chosen).critical_path_s == 5.0


def test_what_fits_nowhere_is_refused() -> None:
    on = cluster(2, memory_gb=1)
    ops = {"a": 1.0, "b": 1.0, "c": 1.0}
    apart = problem(ops, {}, on, parameter_bytes=[2**30] * 3)
    with pytest.raises(InputError, match=r"take 3221225472 bytes; all devices .* have 2147483648"):
        lower_bound(apart)
    chosen = problem(ops, {}, on, parameter_bytes=[2**29] * 3)
    together = PlacementProblem(
        chosen.graph.with_groups(["x", "x", "x"]), on, chosen.compute_s, chosen.priority
    )
    with pytest.raises(InputError, match=r"group 'a' .* fits on no device"):
        lower_bound(together)


def test_no_work_at_all() -> None:
    assert lower_bound(problem({"a": 0.0}, {}, cluster(3))).value_s == 0.0
