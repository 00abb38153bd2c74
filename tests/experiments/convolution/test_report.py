"""Measuring tables, comparing models and agents: the commands of the tuning domain."""

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner

from envs.convolution import tables
from experiments.convolution import model as convolution_model
from experiments.convolution import references
from experiments.convolution import report as convolution_report
from experiments.convolution import tables as convolution_tables
from experiments.references import compute
from hardware_sim.errors import InputError
from hardware_sim.kernels import roofline, space
from hardware_sim.kernels.convolution import Problem
from hardware_sim.kernels.layers import Layer, find

TINY = Layer("Tiny", Problem(6, 8, (9, 9), (3, 3), padding=(1,)), "train")


def run(module, *arguments):
    app = Typer()
    app.command()(module.main)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """One small layer with two methods, and a cache of its own."""
    monkeypatch.setenv("GYMWORKS_KERNEL_CACHE", str(tmp_path / "kernels"))
    monkeypatch.setattr(convolution_tables, "LAYERS", {"Tiny": TINY})
    offered = space.is_offered
    monkeypatch.setattr(space, "is_offered", lambda p, m, here: m in (0, 5) and offered(p, m, here))
    monkeypatch.setattr(space, "widths", lambda machine: ("portable",))
    return tmp_path / "table.json"


def test_a_table_is_measured_read_and_corrected(tiny, monkeypatch):
    output = run(convolution_tables, "--out", tiny, "--limit-s", 0.01)
    assert "Tiny: " in output
    assert "a minute" in output
    table = json.loads(tiny.read_text())
    row = table["layers"]["Tiny"]
    assert (row["failures"], [*row["methods"]]) == ({}, ["direct", "Winograd 4"])
    monkeypatch.setattr(tables, "shipped", lambda: table)
    found = tables.replay.__wrapped__()["Tiny"]
    assert found.speedup.shape == space.SIZES
    assert np.isfinite(found.speedup[[0, 5], :, :, 0]).all()
    assert np.isnan(found.speedup[..., 1]).all()
    assert found.masks[0].sum() == 2
    before = tiny.read_text()
    assert "Tiny:" not in run(convolution_tables, "--out", tiny)
    assert tiny.read_text() == before
    run(convolution_tables, "--out", tiny, "--again", "--limit-s", 0.01)
    again = json.loads(tiny.read_text())["layers"]["Tiny"]["again"]
    assert 0 < len(again) <= convolution_tables.FINALISTS


def test_a_table_of_another_machine_is_kept(tiny):
    machine = replace(tables.measured_on(), processor="Z80")
    tiny.write_text(json.dumps({"machine": machine.to_json(), "layers": {}}))
    before = tiny.read_text()
    app = Typer()
    app.command()(convolution_tables.main)
    result = CliRunner().invoke(app, ["--out", str(tiny)])
    assert isinstance(result.exception, InputError)
    assert "measured on another machine: processor 'Z80'" in str(result.exception)
    assert tiny.read_text() == before


def test_models_are_compared_with_measurements():
    output = run(convolution_model, "--split", "test")
    assert "ResNet4" in output
    assert "VGG1.2" not in output
    table = tables.replay()["ResNet4"]
    truth = np.log(table.speedup)
    assert convolution_model.compared(table, truth) == pytest.approx((1, 1))
    correlation, _ = convolution_model.compared(table, -truth)
    assert correlation == pytest.approx(-1)
    predictions = roofline.predict(find("ResNet4").problem, tables.measured_on())
    assert convolution_model.compared(table, predictions)[0] > 0


def test_the_report_prints_shares_and_measurements_needed(tmp_path):
    output = run(
        convolution_report, "--agents", "random,oracle", "--seeds", 2, "--budget", 4,
        "--out", tmp_path,
    )  # fmt: skip
    assert "random" in output
    report = json.loads((tmp_path / "report.json").read_text())
    assert set(report["agents"]) == {"random", "oracle"}
    assert all(find(layer).split == "test" for layer in report["layers"])
    oracle, random = (report["agents"][name] for name in ("oracle", "random"))
    assert oracle["needed"] == 1
    assert oracle["mean"] == pytest.approx([1] * 4)
    assert random["mean"] == sorted(random["mean"])
    at = random["at"]["4"]
    assert at["low"] <= at["mean"] <= at["high"]
    ElementTree.fromstring((tmp_path / "curves.svg").read_text())


def test_references_are_what_searches_reach(monkeypatch):
    monkeypatch.setattr(references, "SEEDS", range(1))
    found = references.references("ConvTuning-ResNet5-v1")
    best = max(found[name]["score"] for name in references.SEARCHES)
    assert found["reference"]["score"] == best <= found["bound"]["score"] == 1
    row = found["problems"]["ResNet5"]
    assert row["reference"] == best > row["floor"] == found["floor"]["score"]


def test_the_scores_of_a_superseded_id_stay():
    with pytest.raises(InputError, match="ConvTuning-ResNet5-v0 is superseded"):
        compute("ConvTuning-ResNet5-v0")
