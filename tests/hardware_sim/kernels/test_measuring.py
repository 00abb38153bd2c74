"""Measuring: real kernels, compiled, checked and timed on small problems."""

import pytest
import torch

from hardware_sim.host import this_machine
from hardware_sim.kernels import compiler, measuring, opponents
from hardware_sim.kernels.convolution import Problem
from hardware_sim.kernels.measuring import Bench
from hardware_sim.kernels.variant import Plan, Variant

HERE = this_machine()
SMALL = Problem(20, 24, (13, 11), (3, 3), padding=(1,))
VARIANTS = (Variant("direct"), Variant("winograd", (4, 4)), Variant("winograd", (4, 4), block=3))


@pytest.fixture(scope="module")
def session_cache(tmp_path_factory):
    """A cache of this module's own, so that it is here that compilers run."""
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture(scope="module")
def bench():
    return Bench(SMALL, HERE, limit_s=0.01)


def test_variants_are_timed_against_onednn(bench):
    found = bench.measure(VARIANTS)
    assert list(found) == list(VARIANTS)
    for variant, each in found.items():
        assert each.outcome
        assert each.speedup == each.library_s / each.kernel_s > 0
        assert each.compile_s > 0
        assert each.scratch_bytes == 4 * Plan(SMALL, variant, HERE).scratch_floats
    again = bench.together(VARIANTS[:2], 0.01)
    assert all(each.outcome and each.kernel_s > 0 for each in again.values())


def test_what_is_timed_is_the_convolution(bench):
    exact = torch.from_numpy(bench.exact)
    for variant in VARIANTS:
        result = bench._load(variant).call(variant, bench.x)()
        assert torch.allclose(result.double(), exact, atol=2e-3)
    assert torch.allclose(opponents.eager(SMALL, bench.weight)(bench.x).double(), exact, atol=2e-3)


def test_a_wrong_result_a_failed_compilation_and_a_masked_variant_are_values(bench, monkeypatch):
    assert bench.one(Variant("winograd", (9, 9))).outcome.status == "masked"
    assert bench.measure([Variant("fft", (2, 2))])[Variant("fft", (2, 2))].speedup == 0
    broken = Bench(SMALL, HERE, limit_s=0.01)
    broken.exact = broken.exact + 1
    assert broken.measure([Variant("direct")])[Variant("direct")].outcome.status == "wrong"
    monkeypatch.setattr(compiler, "FLAGS", ("--no-such-flag",))
    unbuilt = bench.one(Variant("mec"))
    assert (unbuilt.outcome.status, unbuilt.speedup) == ("compile failed", 0)


def test_one_variant_is_checked_on_the_problem_itself(bench):
    found = bench.one(Variant("im2col"))
    assert found.outcome
    assert found.speedup > 0


def test_the_compilers_time_is_remembered(bench):
    plan = Plan(SMALL, Variant("direct"), HERE)
    first, again = measuring.compiled(plan), measuring.compiled(plan)
    assert first[0] == again[0]
    assert again[1] == first[1] > 0
