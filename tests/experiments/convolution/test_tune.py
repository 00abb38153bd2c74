"""``gymworks tune`` from the command line, with a real compiler."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from experiments.convolution import tune
from hardware_sim.errors import InputError
from hardware_sim.kernels import Problem
from hardware_sim.kernels.network_plan import NetworkPlan

APP = typer.Typer()
APP.command()(tune.command)
CONV = Problem(3, 8, (8, 8), 3)
MODEL = """
import torch
from torch import nn

def both():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten()), torch.randn(1, 3, 8, 8)

def alone():
    return nn.Conv2d(3, 8, 3)

def normed():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))

def linear():
    return nn.Linear(3, 4), torch.randn(1, 3)

def wrong():
    return 3

def broken():
    raise ValueError("no weights")
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, tmp_path_factory, monkeypatch):
    """A working folder with a module of models, and a cache of kernels."""
    (tmp_path / "my_models.py").write_text(MODEL)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    cache = tmp_path_factory.getbasetemp() / "kernels"
    monkeypatch.setenv("GYMWORKS_KERNEL_CACHE", str(cache))
    return tmp_path


def call(*arguments):
    return CliRunner().invoke(APP, [str(argument) for argument in arguments])


def test_a_model_is_tuned_within_a_budget_and_resumed(folder):
    first = call("my_models:both", "--budget", "0.01s")
    assert first.exit_code == 0, first.output
    assert "run again to go on" in first.output
    plan = json.loads((folder / "plan.json").read_text())
    (entry,) = plan["convolutions"]
    assert entry["layers"] == ["0"]
    assert len(entry["measured"]) == 1
    second = call("my_models:both", "--budget", "0.01s")
    assert "1 measurements already" in second.output
    (again,) = json.loads((folder / "plan.json").read_text())["convolutions"]
    assert again["measured"][0] == entry["measured"][0]
    assert len(again["measured"]) == 2


def test_the_json_holds_the_plan(folder):
    shown = json.loads(call("my_models:both", "--budget", "0.01s", "--json").stdout)
    (row,), (entry,) = (
        shown["convolutions"],
        NetworkPlan.load(folder / "plan.json").entries.values(),
    )
    (measured,) = entry.measured
    assert (row["convolution"], row["layers"]) == (tune.describe(entry.problem), ["0"])
    assert (row["torch_s"], row["kernel_s"]) == (measured.torch_s, measured.kernel_s)
    assert (shown["plan"], shown["status"]) == ("plan.json", "ok")
    assert shown["torch_s"] == measured.torch_s
    assert shown["measurements_left"] > 0


def test_quiet_prints_nothing(folder):
    done = call("--conv", "3x8x8,8,3x3", "--budget", "0.01", "--quiet")
    assert (done.exit_code, done.output) == (0, "")
    assert (folder / "plan.json").exists()


def test_a_plan_of_another_machine_is_replaced_only_by_force(folder):
    call("--conv", "3x8x8,8,3x3", "--budget", "0.01")
    plan = json.loads((folder / "plan.json").read_text())
    plan["machine"]["model"] = "another"
    (folder / "plan.json").write_text(json.dumps(plan))
    refused = call("--conv", "3x8x8,8,3x3", "--budget", "0.01")
    assert "plan.json is kept: it was measured on another machine" in str(refused.exception)
    assert json.loads((folder / "plan.json").read_text()) == plan
    call("--conv", "3x8x8,8,3x3", "--budget", "0.01", "--force")
    plan = json.loads((folder / "plan.json").read_text())
    assert plan["machine"]["model"] != "another"
    assert len(plan["convolutions"][0]["measured"]) == 1


def test_a_plan_serves_several_models(folder):
    call("--conv", "3x8x8,8,3x3", "--budget", "0.01")
    (first,) = json.loads((folder / "plan.json").read_text())["convolutions"]
    result = call("--conv", "4x8x8,8,3x3", "--budget", "0.01")
    assert "keeps 1 more" in " ".join(result.output.split())
    kept, second = json.loads((folder / "plan.json").read_text())["convolutions"]
    assert kept == first
    assert (second["problem"]["in_channels"], len(second["measured"])) == (4, 1)
    result = call("--conv", "3x8x8,8,3x3", "--budget", "0.01")
    assert "1 measurements already" in result.output
    assert len(json.loads((folder / "plan.json").read_text())["convolutions"]) == 2


def test_a_plan_for_other_threads_is_not_overwritten(folder):
    call("--conv", "3x8x8,8,3x3", "--budget", "0.01")
    before = (folder / "plan.json").read_bytes()
    result = call("--conv", "3x8x8,8,3x3", "--budget", "0.01", "--threads", "2")
    assert isinstance(result.exception, InputError)
    assert "1 threads, not 2; name another file by --output" in str(result.exception)
    assert (folder / "plan.json").read_bytes() == before


def test_a_killed_run_leaves_a_whole_plan_that_the_next_run_goes_on_with(folder):
    """SIGKILL, wherever it is: in a compilation, a check, a measurement or while it saves."""
    arguments = ["tune", "--conv", "3x8x8,8,3x3", "--budget", "9m"]
    child = subprocess.Popen(
        [sys.executable, "-m", "experiments.cli", *arguments],
        env=os.environ | {"PYTHONPATH": str(Path(tune.__file__).parents[1])},
        stdout=subprocess.DEVNULL,
    )
    plan = folder / "plan.json"
    with child:
        while not plan.exists() or not NetworkPlan.load(plan).entries[CONV].measured:
            assert child.poll() is None
            time.sleep(0.01)
        child.kill()
    done = NetworkPlan.load(plan).entries[CONV].measured
    result = call("--conv", "3x8x8,8,3x3", "--budget", "0.01")
    assert f"{len(done)} measurements already" in result.output
    again = NetworkPlan.load(plan).entries[CONV].measured
    assert again[: len(done)] == done
    assert len(again) == len(done) + 1


def test_the_input_may_be_given(folder):
    result = call("my_models:alone", "--input", "2x3x9x9", "--budget", "0.01", "-o", "p.json")
    assert result.exit_code == 0, result.output
    assert json.loads((folder / "p.json").read_text())["convolutions"][0]["problem"]["batch"] == 2


def test_without_a_compiler_all_is_left_to_torch(folder, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    result = call("my_models:both")
    assert result.exit_code == 1
    assert "no compiler" in result.output
    assert json.loads((folder / "plan.json").read_text())["convolutions"][0]["use"] == "torch"
    shown = call("my_models:both", "--json")
    assert shown.exit_code == 1
    found = json.loads(shown.stdout)
    assert found["status"] != "ok"
    assert found["convolutions"][0]["use"] == "torch, unmeasured"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("64x56x56,64,3x3,pad=1", Problem(64, 64, (56, 56), 3, padding=1)),
        ("4x30,8,5,stride=2,batch=3", Problem(4, 8, (30,), 5, stride=2, batch=3)),
        (
            "4x5x6x7,8,1x3x3,pad=0x1x1,groups=2,dilation=2",
            Problem(4, 8, (5, 6, 7), (1, 3, 3), padding=(0, 1, 1), groups=2, dilation=2),
        ),
    ],
)
def test_shapes_are_read_as_they_are_written(text, problem):
    assert tune.parse_conv(text) == problem
    assert tune.parse_conv(tune.describe(problem)) == problem


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give a model"),
        (("my_models:both", "--conv", "3x8x8,8,3x3"), "give a model"),
        (("my_models",), "not of the form module:attribute"),
        (("my_models:none",), "none"),
        (("no_such_module:f",), "no_such_module"),
        (("my_models:broken",), "no weights"),
        (("my_models:wrong",), "must return a torch.nn.Module"),
        (("my_models:alone",), "--input"),
        (("my_models:alone", "--input", "1,3"), "1,3"),
        (("my_models:alone", "--input", "1x4x9x9"), "does not run on inputs of (1, 4, 9, 9)"),
        (("my_models:normed", "--input", "3x8x8"), "does not run on inputs of (3, 8, 8)"),
        (("my_models:linear",), "no convolution layers"),
        (("--conv", "3x8x8,8"), "too short"),
        (("--conv", "3,8,3x3"), "another form"),
        (("--conv", "3xax8,8,3x3"), "3xax8"),
        (("--conv", "3x8x8,8,3x3,pads=1"), "did you mean 'pad'"),
        (("--conv", "3x8x8,8,9x9"), "does not fit"),
        (("--conv", "3x0x8,8,3x3"), "allowed are integers from 1 up"),
        (("--conv", "3x99999999999x8,8,3x3"), "integers up to 2147483647"),
        (("--conv", "30000x30000x8,8,3x3"), "more than 2147483647 elements"),
        (("--conv", "3x8x8,8,3x3", "--budget", "soon"), "soon"),
        (("--conv", "3x8x8,8,3x3", "--budget", "0s"), "0s"),
    ],
)
def test_bad_input_is_named(arguments, message):
    result = call(*arguments)
    assert isinstance(result.exception, InputError), result.output
    assert message in str(result.exception)
