"""The benches of loop schedules: their rows; figures are not judged here."""

import numpy as np
import pytest

from agents.loops.search import actions_of, hand
from envs.loops.measured import Stopwatch
from envs.loops.nest import Nest
from envs.loops.problem import Problem
from experiments.loops import bench as loops_bench
from experiments.loops import heldout as loops_heldout
from hardware_sim.processors import Processor


def test_rank_correlation_is_one_for_the_same_order():
    rng = np.random.default_rng(0)
    values = rng.random(50)
    assert loops_bench.rank_correlation(values, values**3) == pytest.approx(1)
    assert loops_bench.rank_correlation(values, -values) == pytest.approx(-1)


def test_random_nests_differ_and_repeat():
    start = Nest.unscheduled(Problem.parse("matmul-64x64x64"))
    by_hand = start
    for action in actions_of(start, hand(start, registers=32, lanes=16)):
        by_hand = by_hand.after(action)
    nests = [str(nest) for nest in loops_bench.random_nests(start, by_hand, 20, seed=0)]
    assert len(set(nests)) == 20
    assert nests == [str(nest) for nest in loops_bench.random_nests(start, by_hand, 20, seed=0)]


def test_held_out_figures_order_the_baselines():
    random, by_hand = (loops_heldout.held_out(name, 4) for name in ("random", "hand"))
    assert random["gflops"] < by_hand["gflops"]
    assert 1 <= random["speedup"] < by_hand["speedup"]
    assert by_hand["success"] > 0


@pytest.mark.peers
@pytest.mark.parametrize("name", loops_bench.AUTOSCHEDULERS)
def test_autoscheduled_code_is_timed(name):
    assert loops_bench.autoscheduled_seconds(Problem.parse("matmul-64x64x64"), name) > 0


def test_a_row_relates_the_model_to_the_machine():
    processor = Processor.load("zen4")
    row = loops_bench.correlation_row(
        Problem.parse("matmul-32x32x32"), processor, Stopwatch(threads=1), 4
    )
    assert -1 <= row["rank_correlation"] <= 1
    assert row["median_factor"] >= 1
    assert len(row["gflops"]) == len(row["modelled_gflops"]) == 4
