"""Nests compiled by Halide: right results, times, and a clear word where it is missing."""

import sys

import gymnasium as gym
import numpy as np
import pytest

from envs.loops import measured
from envs.loops.env import LoopScheduleEnv
from envs.loops.measured import Kernel, Stopwatch, check, expected, operands
from envs.loops.nest import ACTIONS, Nest
from envs.loops.problem import Problem
from hardware_sim.errors import InputError
from tests.envs.loops.test_cost import TILED
from tests.envs.loops.test_nest import play, walk


@pytest.mark.parametrize("name", ["matmul-24x32x20", "conv-6x5x4-8-3x2"])
def test_the_right_output_is_what_the_loops_say(name):
    problem = Problem.parse(name)
    left, right = operands(problem)
    total = np.zeros(problem.shapes[0])
    for point in np.ndindex(*problem.extents.tolist()):
        if problem.operation == "matmul":
            i, j, k = point
            total[i, j] += float(left[i, k]) * float(right[k, j])
        else:
            y, x, o, r, s, c = point
            total[y, x, o] += float(left[y + r, x + s, c]) * float(right[r, s, c, o])
    assert np.allclose(expected(problem), total)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", ["matmul-32x48x16", "conv-8x6x4-16-3x3"])
def test_random_nests_compute_the_same(name, seed):
    choices = np.random.default_rng(seed).integers(0, 17, 25).tolist()
    *_, nest = walk(name, choices)
    kernel = Kernel(nest)
    kernel.run()
    exact = expected(nest.problem)
    check(nest, kernel.output, exact)
    assert np.allclose(kernel.output, exact, rtol=1e-4, atol=1e-4)


def test_a_wrong_output_is_found():
    nest = Nest.unscheduled(Problem.parse("matmul-8x8x8"))
    right = expected(nest.problem)
    wrong = right.astype(np.float32)
    check(nest, wrong, right)
    wrong[0, 0] = np.nan
    with pytest.raises(RuntimeError, match="relative error nan"):
        check(nest, wrong, right)


def test_times_are_remembered_wherever_the_cursor_is():
    clock = Stopwatch(threads=1)
    tiled = play("matmul-128x128x128", TILED, threads=1)
    assert clock.seconds(Nest.unscheduled(tiled.problem)) > 0
    assert clock.seconds(tiled) > 0
    assert clock.seconds(tiled) == clock.seconds(play("matmul-128x128x128", f"{TILED}, down"))


def test_an_episode_is_measured():
    env = LoopScheduleEnv(["matmul"], backend="measured", threads=1)
    env.reset(options={"problem": "matmul-64x64x64"})
    for edit in f"{TILED}, stop".split(", "):
        *_, info = env.step(ACTIONS.index(edit))
    assert info["speedup"] >= 1
    assert np.isfinite(info["score"])
    assert info["reward"]["steps"] < 0


def test_more_threads_than_cores_are_refused():
    with pytest.raises(InputError, match="64; this machine has"):
        LoopScheduleEnv(["matmul"], backend="measured", threads=64)


def test_a_missing_compiler_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "halide", None)
    with pytest.raises(gym.error.DependencyNotInstalled, match=r'pip install "gymworks\[loops\]"'):
        measured.halide()
