"""The model of a nest's time: cases by hand, and what must hold for every nest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.loops import cost, kernel
from envs.loops.nest import MAX_LOOPS, Nest
from envs.loops.problem import Problem
from hardware_sim import processors
from hardware_sim.errors import InputError
from hardware_sim.processors import Processor
from tests.envs.loops.test_nest import play, walk

ZEN4 = Processor.load("zen4")
TILED = (
    "split 8, down, swap down, swap down, unroll, up, up, split 32, down, vectorise, accumulate, "
    "up, up"
)
"""A product in tiles of 8 by 32."""


def model(nest, function=cost.seconds, processor=ZEN4):
    loops, state = np.zeros((MAX_LOOPS, 4), np.int64), np.zeros(4, np.int64)
    kernel.write(nest, loops, state)
    problem = nest.problem
    rates = cost.Rates.of(processor)
    return function(loops, state, problem.reduced, problem.strides, rates)


def test_the_unscheduled_product_waits_for_each_sum():
    # 8 rows of 8 sums of 8 products, each waiting 4 cycles for the last; a cycle per iteration.
    nest = Nest.unscheduled(Problem.parse("matmul-8x8x8"))
    assert model(nest, cost.issue_cycles) == 512 * 4 + (512 + 64 + 8)


def test_a_tiled_product_issues_one_vector_a_cycle():
    # 8 x 2 vectors a body, 64 bodies a tile and 16 tiles; each tile stores 16 vectors at 2 cycles.
    nest = play("matmul-64x64x64", TILED)
    assert model(nest, cost.issue_cycles) == 16 * (64 * 16 + 16 * 2) + (1_024 + 16 + 8)


def test_sums_in_memory_are_stored_by_every_body():
    nest = play("matmul-64x64x64", TILED.replace(", accumulate", ""))
    assert model(nest, cost.issue_cycles) == 16 * 64 * 16 * 2 + (1_024 + 16 + 8)


def test_too_many_accumulators_spill():
    narrow = play("matmul-64x64x64", TILED)
    wide = play("matmul-64x128x64", TILED.replace("split 8", "split 16").replace("32", "64"))
    assert model(wide, cost.issue_cycles) > 1.05 * 2 * model(narrow, cost.issue_cycles)


def test_two_threads_halve_the_time_of_an_even_loop_only():
    even, odd = "matmul-512x512x512", "matmul-24x512x512"
    for name, share in ((even, 2.0), (odd, 1.5)):
        serial, parallel = play(name, TILED), play(name, f"{TILED}, parallel")
        issue = model(serial, cost.issue_cycles) / ZEN4.clock_hz
        expected = issue / share + cost.FORK_CYCLES / ZEN4.clock_hz
        assert model(parallel) == pytest.approx(expected, rel=0.01)


def test_a_loop_order_that_strides_costs_more():
    good = play("matmul-512x512x512", "down, swap down")
    bad = play("matmul-512x512x512", "swap down, swap down")
    assert model(bad) > 2 * model(good)


@given(
    st.sampled_from(["matmul-64x96x32", "conv-8x6x4-16-3x3"]),
    st.lists(st.integers(0, 16), max_size=50),
)
@settings(max_examples=80, deadline=None)
def test_no_nest_exceeds_the_roofline(name, choices):
    *_, nest = walk(name, choices)
    bound = cost.roofline_flops(nest.problem, ZEN4, nest.threads)
    assert 0 < nest.problem.flops / model(nest) <= bound


def test_processors_are_whole():
    for name in processors.names():
        processor = Processor.load(name)
        assert processor.lanes == processor.vector_bytes / 4
        assert len(processor.caches) == len(processor.fill_bytes) == 3
        sizes = [level.size_bytes for level in processor.caches]
        assert sizes == sorted(sizes)
    assert ZEN4.peak_flops == 2 * 16 * 3.7e9
    with pytest.raises(InputError, match="zen4"):
        Processor.load("zen5")
