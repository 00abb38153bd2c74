"""Nests on this machine: right results, times, failures as outcomes, an error without Halide."""

import os
import sys
from dataclasses import replace

import gymnasium as gym
import halide as hl
import numpy as np
import psutil
import pytest

from envs.loops import compiled, measured
from envs.loops.batch import STEP_COST
from envs.loops.compiled import Kernel, expected, operands, relative_error
from envs.loops.env import LoopScheduleEnv
from envs.loops.features import LARGEST_FEATURE
from envs.loops.measured import Stopwatch
from envs.loops.nest import ACTIONS, Nest
from envs.loops.problem import Problem
from envs.loops.trial import TOLERANCE, request, requested
from envs.loops.vector import LoopScheduleVectorEnv
from hardware_sim.errors import InputError
from hardware_sim.kernels import KernelError
from tests.envs.loops.test_cost import TILED
from tests.envs.loops.test_nest import play, walk

AVX2 = "x86-64-linux-avx-avx2-f16c-fma-sse41"
FAILURES = {"vectorise": "crashed", "unroll": "hung", "swap down": "crashed", "accumulate": "wrong"}
"""By the edit that makes the nests of ``broken_trial``."""


@pytest.fixture(scope="module", params=["host", AVX2])
def clock(request):
    """A stopwatch whose child compiles for this processor, or for one with AVX2 at most."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "host":
            if not hl.get_host_target().has_feature(hl.TargetFeature.AVX2):
                pytest.skip("this processor has no AVX2")
            patch.setenv("HL_JIT_TARGET", request.param)
        stopwatch = Stopwatch(threads=min(2, os.cpu_count()))
        yield stopwatch
        stopwatch.close()


@pytest.fixture
def broken(monkeypatch):
    """Children run nests that misbehave."""
    monkeypatch.setattr(measured, "TRIAL", "tests.envs.loops.broken_trial")


def children():
    return [each for each in psutil.Process().children() if "broken_trial" in str(each.cmdline())]


@pytest.mark.parametrize("name", ["matmul-24x32x20", "conv-6x5x4-8-3x2"])
def test_the_right_output_is_that_of_the_loops(name):
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
def test_random_nests_compute_the_same(clock, name, seed):
    choices = np.random.default_rng(seed).integers(0, 17, 25).tolist()
    *_, nest = walk(name, choices)
    found = clock.measure(nest)
    assert found.outcome, found.outcome
    assert found.outcome.error < TOLERANCE / 10
    assert 0 < found.seconds < np.inf


def test_sums_in_memory_are_loaded_from_whole_vectors(clock):
    """AVX2 loads an output to which vectors are added by an instruction that may fault."""
    for name in ("matmul-64x64x64", "matmul-16x96x5", "matmul-24x64x1"):
        nest = play(name, TILED)
        in_memory = replace(nest, block=-1)
        assert nest.block >= 0
        found = clock.measure(in_memory)
        assert found.outcome, found.outcome


@pytest.mark.parametrize("columns", [1, 3, 5, 8, 20, 33, 200])
def test_buffers_begin_at_whole_vectors(columns):
    kernels = [Kernel(Nest.unscheduled(Problem.parse(f"matmul-7x{columns}x9"))) for _ in range(5)]
    for kernel in kernels:
        for array in (kernel.output, *map(np.asarray, kernel.inputs)):
            assert array.ctypes.data % 64 == 0
        left, right = operands(Problem.parse(f"matmul-7x{columns}x9"))
        assert np.array_equal(kernel.inputs[0], left)
        assert np.array_equal(kernel.inputs[1], right)
        assert kernel.output.shape == (7, columns)
        assert np.isnan(kernel.output).all()


def test_an_output_that_is_not_written_is_wrong():
    kernel = Kernel(Nest.unscheduled(Problem.parse("matmul-8x8x8")))
    right = expected(Problem.parse("matmul-8x8x8"))
    assert np.isnan(relative_error(kernel.output, right))
    kernel.run()
    assert relative_error(kernel.output, right) < TOLERANCE / 10
    kernel.output[0, 0] += 1
    assert relative_error(kernel.output, right) > TOLERANCE


def test_a_nest_survives_its_request():
    nest = play("conv-8x6x4-16-3x3", "split 2, down, down, down, vectorise, up, up, accumulate")
    again = requested(request(nest))
    assert str(again) == str(replace(nest, cursor=0))
    assert (again.problem, again.block) == (nest.problem, nest.block)


def test_times_are_remembered_wherever_the_cursor_is(clock):
    tiled = play("matmul-128x128x128", TILED, threads=1)
    assert clock.seconds(Nest.unscheduled(tiled.problem)) > 0
    assert clock.seconds(tiled) > 0
    assert clock.seconds(tiled) == clock.seconds(play("matmul-128x128x128", f"{TILED}, down"))


def test_an_episode_is_measured():
    env = LoopScheduleEnv(["matmul"], backend="measured", threads=1)
    env.reset(options={"problem": "matmul-64x64x64"})
    for edit in f"{TILED}, stop".split(", "):
        *_, info = env.step(ACTIONS.index(edit))
        assert info["outcome"] == "ok"
    assert info["speedup"] >= 1
    assert np.isfinite(info["score"])
    assert info["reward"]["steps"] < 0
    env.close()


@pytest.mark.parametrize(("edit", "status"), FAILURES.items())
def test_a_nest_that_fails_is_an_outcome_of_its_edit(broken, monkeypatch, edit, status):
    env = LoopScheduleEnv(["matmul"], backend="measured", threads=1, render_mode="ansi")
    env.reset(options={"problem": "matmul-16x16x16"})
    if status == "hung":
        monkeypatch.setattr(measured, "LIMIT_S", 1.0)
    observation, reward, terminated, truncated, info = env.step(ACTIONS.index(edit))
    assert info["outcome"] == status
    assert info["reward"] == {"speed": 0.0, "steps": -STEP_COST, "illegal": 0.0}
    assert reward == -STEP_COST
    assert not terminated
    assert not truncated
    assert observation in env.observation_space
    now, best, *_ = observation["progress"].tolist()
    assert (now, best) == (-LARGEST_FEATURE, 0)
    assert "0.0 GFLOP/s now" in env.render()
    *_, terminated, _, info = env.step(ACTIONS.index("stop"))
    assert terminated
    assert info["speedup"] == 1
    env.close()


def test_failures_are_remembered_and_the_next_nest_is_measured(broken):
    clock = Stopwatch(threads=1)
    first = Nest.unscheduled(Problem.parse("matmul-16x16x16"))
    before = clock.seconds(first)
    (child,) = children()
    crash = first.after(ACTIONS.index("vectorise"))
    assert clock.measure(crash).outcome.detail == "it ended by signal 11"
    assert clock.seconds(crash) == np.inf
    assert not children()
    split = first.after(ACTIONS.index("split 4"))
    assert 0 < clock.seconds(split) < np.inf
    assert clock.seconds(first) == before
    assert [each.pid for each in children()] != [child.pid]
    clock.close()


def test_a_problem_that_cannot_be_measured_raises(broken, monkeypatch):
    monkeypatch.setattr(measured, "TRIAL", "tests.envs.loops.no_such_module")
    env = LoopScheduleEnv(["matmul"], backend="measured", threads=1)
    for _ in range(2):
        with pytest.raises(KernelError, match=r"crashed: matmul-16x16x16: .*no_such_module"):
            env.reset(options={"problem": "matmul-16x16x16"})
    env.close()


def test_rows_fail_alone(broken):
    env = LoopScheduleVectorEnv(2, ["matmul"], backend="measured", threads=1)
    env.reset(options={"problem": "matmul-16x16x16"})
    before = env.core.now_s.copy()
    _, reward, _, _, info = env.step(np.array([ACTIONS.index("down"), ACTIONS.index("vectorise")]))
    assert info["outcome"].tolist() == ["ok", "crashed"]
    assert info["_outcome"].all()
    assert reward.tolist() == [-STEP_COST, -STEP_COST]
    assert env.core.now_s.tolist() == [before[0], np.inf]
    env.close()


@pytest.mark.parametrize(
    "make", [LoopScheduleEnv, lambda *a, **k: LoopScheduleVectorEnv(2, *a, **k)]
)
def test_closing_leaves_no_process(broken, make):
    env = make(["matmul"], backend="measured", threads=1)
    assert not children()
    env.reset(options={"problem": "matmul-8x8x8"})
    (child,) = children()
    env.close()
    env.close()
    assert not psutil.pid_exists(child.pid)


def test_an_environment_that_is_forgotten_leaves_no_process(broken):
    env = LoopScheduleEnv(["matmul"], backend="measured", threads=1)
    env.reset(options={"problem": "matmul-8x8x8"})
    (child,) = children()
    del env
    assert not psutil.pid_exists(child.pid)


def test_the_model_measures_nothing():
    env = LoopScheduleEnv(["matmul"])
    env.reset(seed=0)
    *_, info = env.step(ACTIONS.index("down"))
    assert "outcome" not in info
    env.close()


def test_more_threads_than_cores_are_refused():
    with pytest.raises(InputError, match="64; this machine has"):
        LoopScheduleEnv(["matmul"], backend="measured", threads=64)


def test_a_missing_compiler_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "halide", None)
    with pytest.raises(gym.error.DependencyNotInstalled, match=r'pip install "gymworks\[loops\]"'):
        compiled.halide()
