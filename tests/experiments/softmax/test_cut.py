"""``gymworks softmax`` from the command line."""

import json

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from experiments.softmax import cut as softmax
from hardware_sim.errors import InputError

APP = typer.Typer()
APP.command()(softmax.command)


def call(*arguments):
    return CliRunner(env={"COLUMNS": "120"}).invoke(APP, [str(argument) for argument in arguments])


@pytest.fixture
def counts(tmp_path):
    path = tmp_path / "counts.txt"
    shuffled = np.random.default_rng(0).permutation(3_000)
    path.write_text("".join(f"word{i} {10_000 // (i + 1)}\n" for i in shuffled))
    return path


def test_the_printed_line_makes_the_module(counts, tmp_path):
    output = tmp_path / "plan.json"
    result = call(counts, "--hidden", 32, "--batch", 16, "--vocabulary", 2_000, "-o", output)
    assert result.exit_code == 0, result.output
    plan = json.loads(output.read_text())
    line = next(line for line in result.output.splitlines() if line.startswith("torch.nn."))
    module = eval(line, {"torch": torch})
    assert module.cutoffs == [*plan["cutoffs"], 2_000]
    assert module.in_features == 32
    assert f"speed-up {plan['speed_up']:.1f}" in result.output
    assert "head" in result.output


def test_the_json_is_the_file_and_the_line(counts, tmp_path):
    output = tmp_path / "plan.json"
    arguments = ["--hidden", 32, "--batch", 16, "--vocabulary", 2_000, "-o", output]
    shown = json.loads(call(counts, *arguments, "--json").stdout)
    module = eval(shown.pop("construction"), {"torch": torch})
    assert module.in_features == 32
    assert shown == json.loads(output.read_text())
    assert call(counts, *arguments, "--quiet").output == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hidden", 0], "hidden is 0"),
        (["--batch", 0], "batch 0"),
        (["--kind", "backward"], "unknown kind"),
        (["--vocabulary", 1], "V >= 2"),
        (["--device", "toaster"], "toaster"),
        (["--div-value", 0.5], "div_value"),
    ],
)
def test_bad_input_is_named(counts, arguments, message):
    result = call(counts, *arguments)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)


def test_a_file_without_counts_is_refused(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("once upon a time\n")
    result = call(path)
    assert isinstance(result.exception, InputError)
    assert "line 1" in str(result.exception)
