"""The kernels' benches on tiny layers, with real compilers; their figures are not judged here."""

import json
import math
import os
from dataclasses import replace

import pytest
import torch
from torch import nn
from typer import Typer
from typer.testing import CliRunner

from experiments.convolution import (
    accelerate_bench,
    kernel_bench,
    kernel_neon,
    kernel_sanitize,
    tuning_rate,
)
from experiments.convolution.accelerate_bench import Network
from experiments.convolution.kernel_bench import Suite
from hardware_sim.errors import InputError
from hardware_sim.host import this_machine
from hardware_sim.kernels import Plan, Problem, Variant, tuning
from hardware_sim.kernels.layers import Layer

HERE = this_machine()
ARM = replace(HERE, instruction_set="neon")
TINY = Problem(5, 9, (11, 10), (3, 3), padding=(1,))
HEAD = (
    "int run(const float *x, const float *u, const float *b, float *y, float *s, const long *g,"
    " const float *add)"
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture(autouse=True)
def cache_folder(cache, monkeypatch):
    """A cache of kernels for this module."""
    monkeypatch.setenv("GYMWORKS_KERNEL_CACHE", str(cache))


def run(module, *arguments):
    app = Typer()
    app.command()(module.main)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_kernel_bench_prints_every_layer_and_the_mean(tmp_path, monkeypatch):
    few = [Variant("direct", isa="portable"), Variant("winograd", (2, 2), isa="portable")]
    monkeypatch.setattr(kernel_bench, "candidates", lambda problem, machine, threads: few)
    suites = {Suite.NETWORKS: {"one": TINY, "two": TINY}, Suite.MEC: {"low": TINY}}
    monkeypatch.setattr(kernel_bench, "SUITES", suites)
    arguments = ["--limit-s", 0.01, "--out", tmp_path / "bench.json"]
    result = run(kernel_bench, "--suite", "networks", "--suite", "mec", *arguments)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "bench.json").read_text())
    assert report["machine"] == HERE.to_json()
    networks = report["suites"]["networks"]
    assert [row["layer"] for row in networks["rows"]] == ["one", "two"]
    for row in networks["rows"]:
        assert set(row["tried"]) == {"direct", "winograd 2x2"}
        assert row["speedup"] == pytest.approx(row["library_ms"] / row["kernel_ms"])
        assert row["error"] < 1e-5
        assert row["failures"] == {}
    mean = math.prod(row["speedup"] for row in networks["rows"]) ** 0.5
    assert networks["geometric_mean"] == pytest.approx(mean)
    (low,) = report["suites"]["mec"]["rows"]
    assert low["im2col_bytes"] == 4 * 11 * 10 * 9 * 5
    assert low["mec_bytes"] == 4 * 10 * 13 * 3 * 5
    assert low["memory_ratio"] == low["im2col_bytes"] / low["mec_bytes"]
    assert low["over_im2col"] == pytest.approx(low["im2col_ms"] / low["mec_ms"])


@pytest.mark.parametrize("algorithm", ["direct", "winograd"])
def test_a_kernel_runs_clean_under_the_sanitizer(algorithm):
    tile = (2, 2) if algorithm == "winograd" else ()
    variant = Variant(algorithm, tile, isa="portable")
    assert kernel_sanitize.sanitized(TINY, variant, HERE, kernel_sanitize.sanitizer_library())


@pytest.mark.parametrize("place", [-1, TINY.in_channels * 11 * 10])
def test_the_sanitizer_sees_a_read_just_outside(place, monkeypatch):
    broken = f"{HEAD} {{ *(volatile float *)y = x[{place}]; return 0; }}"
    monkeypatch.setattr(Plan, "source", lambda plan: broken)
    variant = Variant("direct", isa="portable")
    outcome = kernel_sanitize.sanitized(TINY, variant, HERE, kernel_sanitize.sanitizer_library())
    assert outcome.status == "crashed"
    assert "AddressSanitizer: heap-buffer-overflow" in outcome.detail


def test_sanitizing_fails_if_a_kernel_does(monkeypatch):
    monkeypatch.setattr(kernel_sanitize, "PROBLEMS", (TINY,))
    few = [Variant("im2col", isa="portable")]
    monkeypatch.setattr(kernel_sanitize, "candidates", lambda problem, machine, threads: few)
    assert run(kernel_sanitize).exit_code == 0
    monkeypatch.setattr(Plan, "source", lambda plan: f"{HEAD} {{ return 0; }}")
    result = run(kernel_sanitize)
    assert result.exit_code == 1
    assert "wrong" in result.output
    assert "1 failures" in result.output


@pytest.mark.parametrize(
    ("algorithm", "tile"), [("direct", ()), ("winograd", (2, 2)), ("fft", (6, 6))]
)
def test_neon_kernels_are_right_on_this_processor_too(algorithm, tile):
    """GCC's vectors are portable: the text that is cross-compiled for ARM runs here as well."""
    outcome = kernel_neon.emulated(TINY, Variant(algorithm, tile), ARM, "cc", ())
    assert outcome, outcome


@pytest.mark.parametrize(
    ("body", "status"),
    [("", "wrong"), ("*(volatile float *)y = x[550];", "crashed"), ("no C", "compile failed")],
)
def test_what_goes_wrong_in_an_emulator_is_an_outcome(body, status, monkeypatch):
    monkeypatch.setattr(Plan, "source", lambda plan: f"{HEAD} {{ {body} return 0; }}")
    assert kernel_neon.emulated(TINY, Variant("direct"), ARM, "cc", ()).status == status


def test_missing_programs_of_emulation_are_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    result = run(kernel_neon)
    assert isinstance(result.exception, InputError)
    assert "apt-get install gcc-aarch64-linux-gnu" in str(result.exception)


def test_networks_are_timed_in_turn_and_compared_with_float64(tmp_path, monkeypatch):
    def small():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()).eval(), torch.randn(1, 3, 12, 12)

    monkeypatch.setitem(accelerate_bench.MAKERS, Network.VGG16, small)
    arguments = ["--network", "vgg16", "--plans", tmp_path, "--budget-s", 0.01, "--limit-s", 0.05]
    result = run(accelerate_bench, *arguments, "--out", tmp_path / "out.json")
    assert result.exit_code == 0, result.output
    assert "accelerated" in result.output
    (found,) = json.loads((tmp_path / "out.json").read_text())["results"]
    rows = {row["way"]: row for row in found["rows"]}
    assert [*rows] == ["accelerated", "eager", "eager, channels-last", "oneDNN tensors"]
    assert rows["eager"]["speedup"] == 1
    for row in rows.values():
        assert row["error"] < 1e-5
        assert row["speedup"] == pytest.approx(rows["eager"]["ms"] / row["ms"])
    assert "0 + relu 1x3x12x12" in found["layers"]
    assert json.loads((tmp_path / "vgg16-1.json").read_text())["convolutions"]


def test_rates_of_tuning_count_all_that_was_done(monkeypatch):
    layer = Layer("Tiny", TINY, "train")
    monkeypatch.setattr(tuning_rate, "named", lambda names: [layer])
    few = [Variant("direct", isa="portable"), Variant("winograd", (2, 2), isa="portable")]
    monkeypatch.setattr(tuning, "candidates", lambda problem, machine, threads: few)
    choices = {each: [] for each in few}
    monkeypatch.setattr(tuning_rate.space, "choices", lambda problem, machine: choices)
    before = os.environ["GYMWORKS_KERNEL_CACHE"]
    for row in tuning_rate.rates(["Tiny"], HERE, 0.01):
        assert (row["variants"], row["libraries"], row["failed"]) == (2, 2, 0)
        assert row["variants_per_minute"] == pytest.approx(120 / row["seconds"])
        assert "2 variants of Tiny" in tuning_rate.describe(row)
    assert os.environ["GYMWORKS_KERNEL_CACHE"] == before
