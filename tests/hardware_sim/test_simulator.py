"""The compiled simulator: equal to the reference to the last bit, and right by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware_sim import reference, simulator
from hardware_sim.devices import Cluster
from hardware_sim.errors import InputError
from hardware_sim.problem import PlacementProblem
from hardware_sim.schedule import Schedule, Transfer
from tests.hardware_sim.problems import Case, cases, cluster, graphs, problem

GB = 10**9


def assert_same(ours: Schedule, theirs: Schedule) -> None:
    assert ours.makespan_s == theirs.makespan_s
    assert ours.device.tolist() == theirs.device.tolist()
    assert ours.start_s.tolist() == theirs.start_s.tolist()
    assert ours.end_s.tolist() == theirs.end_s.tolist()
    assert ours.transfers == theirs.transfers
    assert ours.peak_bytes.tolist() == theirs.peak_bytes.tolist()


@settings(max_examples=400, deadline=None)
@given(cases())
def test_equals_the_reference_bit_for_bit(case: Case) -> None:
    chosen, placement = case
    assert_same(simulator.simulate(chosen, placement), reference.simulate(chosen, placement))


@settings(max_examples=25, deadline=None)
@given(cases(max_ops=150, max_devices=64))
def test_equals_the_reference_on_many_devices(case: Case) -> None:
    chosen, placement = case
    assert_same(simulator.simulate(chosen, placement), reference.simulate(chosen, placement))


@settings(max_examples=40, deadline=None)
@given(graphs(), st.sampled_from(["xeon_4xk80", "4xp100_nvlink"]), st.integers(0, 2**32 - 1))
def test_equals_the_reference_on_shipped_clusters(graph, name: str, seed: int) -> None:
    chosen = PlacementProblem.build(graph, Cluster.load(name))
    placement = np.random.default_rng(seed).integers(0, chosen.num_devices, chosen.num_groups)
    assert_same(simulator.simulate(chosen, placement), reference.simulate(chosen, placement))


@settings(max_examples=60, deadline=None)
@given(cases(batch=21), st.integers(1, 4))
def test_batch_equals_single_on_any_number_of_threads(case: Case, threads: int) -> None:
    chosen, placements = case
    batch = simulator.evaluate(chosen, placements, threads)
    single = [reference.simulate(chosen, placement) for placement in placements]
    assert batch.makespan_s.tolist() == [s.makespan_s for s in single]
    assert batch.peak_bytes.tolist() == [s.peak_bytes.tolist() for s in single]
    assert batch.fits.tolist() == [bool((s.peak_bytes <= chosen.capacity).all()) for s in single]


@settings(max_examples=60, deadline=None)
@given(cases(), st.randoms())
def test_relabelling_identical_devices_changes_nothing(case: Case, random) -> None:
    graph = case[0].graph
    count = case[0].num_devices
    chosen = PlacementProblem.build(graph, cluster(count, "pair", latency_us=25.0))
    labels = list(range(count))
    random.shuffle(labels)
    both = simulator.evaluate(chosen, [case[1], np.array(labels)[case[1]]], 1)
    assert both.makespan_s[0] == both.makespan_s[1]
    assert both.peak_bytes[0].tolist() == both.peak_bytes[1, labels].tolist()


def test_empty_batch_gives_empty_results() -> None:
    chosen = problem({"a": 1.0}, {}, cluster(2))
    result = simulator.evaluate(chosen, np.empty((0, 1), int))
    assert result.makespan_s.shape == (0,)
    assert result.peak_bytes.shape == (0, 2)
    assert result.fits.shape == (0,)


def test_one_op_takes_its_time_on_its_device() -> None:
    chosen = problem({"a": [2.0, 3.0]}, {}, cluster(2), output_bytes=[5], parameter_bytes=[7])
    result = simulator.evaluate(chosen, [[0], [1]])
    assert result.makespan_s.tolist() == [2.0, 3.0]
    assert result.peak_bytes.tolist() == [[12, 0], [0, 12]]


def test_chain_over_two_devices_waits_for_the_transfer() -> None:
    on = cluster(2, gbs=2.0, latency_us=250_000.0)
    chosen = problem({"a": 1.0, "b": 2.0}, {("a", "b"): GB}, on)
    schedule = simulator.simulate(chosen, [0, 1])
    assert schedule.transfers == (Transfer(0, 0, 1, 0, GB, 1.0, 1.75),)
    assert schedule.start_s.tolist() == [0.0, 1.75]
    assert schedule.makespan_s == 3.75
    assert simulator.simulate(chosen, [1, 1]).makespan_s == 3.0


def test_two_transfers_on_one_channel_queue_by_priority() -> None:
    seconds = {"a": 0.0, "b": 0.0, "x": 1.0, "y": 1.0}
    edges = {("a", "x"): GB, ("b", "y"): 2 * GB}
    placement = [0, 0, 1, 2]
    shared = problem(seconds, edges, cluster(3, "sender"), priority=[1, 0, 2, 3])
    assert simulator.simulate(shared, placement).start_s.tolist() == [0.0, 0.0, 3.0, 2.0]
    alone = problem(seconds, edges, cluster(3, "pair"), priority=[1, 0, 2, 3])
    assert simulator.simulate(alone, placement).start_s.tolist() == [0.0, 0.0, 1.0, 2.0]


def test_an_output_is_sent_once_to_a_device_at_its_largest_part() -> None:
    edges = {("a", "x"): GB, ("a", "y"): 3 * GB}
    chosen = problem({"a": 1.0, "x": 1.0, "y": 1.0}, edges, cluster(2))
    (transfer,) = simulator.simulate(chosen, [0, 1, 1]).transfers
    assert (transfer.bytes, transfer.start_s, transfer.end_s) == (3 * GB, 1.0, 4.0)


def test_transfers_overlap_with_computation() -> None:
    chosen = problem({"a": 1.0, "b": 5.0, "x": 1.0}, {("a", "x"): 2 * GB}, cluster(2))
    schedule = simulator.simulate(chosen, [0, 0, 1])
    assert schedule.start_s.tolist() == [0.0, 1.0, 3.0]
    assert schedule.makespan_s == 6.0


def test_ready_ops_run_in_order_of_priority_without_preemption() -> None:
    seconds = {"a": 4.0, "b": 1.0, "c": 1.0, "d": 1.0}
    late_but_first = problem(seconds, {("b", "c"): 0}, cluster(2), priority=[1, 2, 0, 3])
    schedule = simulator.simulate(late_but_first, [0, 1, 0, 0])
    assert schedule.start_s.tolist() == [0.0, 0.0, 4.0, 5.0]


def test_outputs_are_freed_after_their_last_reader() -> None:
    chosen = problem(
        {"a": 1.0, "b": 1.0, "c": 1.0},
        {("a", "b"): 100, ("b", "c"): 10},
        cluster(1),
        output_bytes=[100, 10, 1],
        parameter_bytes=[1000, 0, 0],
    )
    assert simulator.evaluate(chosen, [[0, 0, 0]]).peak_bytes.tolist() == [[1110]]
    kept = problem({"a": 1.0, "b": 1.0}, {}, cluster(1), output_bytes=[100, 10])
    assert simulator.evaluate(kept, [[0, 0]]).peak_bytes.tolist() == [[110]]


def test_a_copy_is_held_from_the_start_of_its_transfer_to_its_last_reader() -> None:
    chosen = problem(
        {"a": 1.0, "b": 1.0, "big": 1.0},
        {("a", "b"): 40, ("b", "big"): 0},
        cluster(2),
        output_bytes=[100, 1, 200],
    )
    # The copy of a (40) is freed when b ends, before big starts.
    assert simulator.evaluate(chosen, [[0, 1, 1]]).peak_bytes.tolist() == [[100, 201]]


def test_fits_compares_the_peak_with_the_capacity() -> None:
    on = cluster(2, memory_gb=1)
    chosen = problem({"a": 1.0, "b": 1.0}, {}, on, parameter_bytes=[2**29, 2**29 + 1])
    assert simulator.evaluate(chosen, [[0, 0], [0, 1]]).fits.tolist() == [False, True]


@pytest.mark.parametrize("rows", [[[0, 0]], [[0, 3, 0]], [[0, -1, 0]], [0, 0, 0]])
def test_bad_placements_are_refused(rows) -> None:
    chosen = problem({"a": 1.0, "b": 1.0, "c": 1.0}, {}, cluster(2))
    with pytest.raises(InputError):
        simulator.evaluate(chosen, rows)


def test_a_simulation_leaves_nothing_behind_for_the_next() -> None:
    edges = {("a", "c"): 5, ("b", "c"): 9}
    chosen = problem({"a": 1.0, "b": 2.0, "c": 1.0}, edges, cluster(3), output_bytes=[1, 1, 1])
    rows = np.array(np.meshgrid(*[range(3)] * 3)).reshape(3, -1).T
    together = simulator.evaluate(chosen, np.concatenate([rows, rows[::-1]]), 1)
    alone = [reference.simulate(chosen, row) for row in rows]
    expected = [s.makespan_s for s in alone]
    assert together.makespan_s.tolist() == expected + expected[::-1]
    peaks = [s.peak_bytes.tolist() for s in alone]
    assert together.peak_bytes.tolist() == peaks + peaks[::-1]
