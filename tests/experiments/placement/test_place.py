"""``gymworks place`` from the command line."""

import json

import pytest
import typer
from typer.testing import CliRunner

from experiments.placement import place
from hardware_sim.errors import InputError

APP = typer.Typer()
APP.command()(place.command)


def call(*arguments):
    return CliRunner().invoke(APP, [str(argument) for argument in arguments])


@pytest.mark.parametrize("method", place.METHODS)
def test_every_method_writes_a_device_for_every_op(tmp_path, method):
    output = tmp_path / "placement.json"
    result = call(
        "msr_bert24", "--cluster", "6xv100_msr", "--method", method, "--evaluations", 50,
        "-o", output,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "no placement can be faster" in result.output
    written = json.loads(output.read_text())
    assert len(written["device"]) == 32
    assert written["makespan_s"] > 0


def test_a_picture_is_written(tmp_path):
    picture = tmp_path / "timeline.png"
    assert call("inception_v3", "--method", "heft", "--picture", picture).exit_code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_json_is_the_file_and_more(tmp_path):
    output = tmp_path / "placement.json"
    result = call("msr_bert24", "--cluster", "6xv100_msr", "--method", "heft", "-o", output,
                  "--json")  # fmt: skip
    shown, written = json.loads(result.stdout), json.loads(output.read_text())
    assert {key: shown[key] for key in written} == written
    assert shown["lower_bound_s"] <= shown["makespan_s"] <= shown["single_device_s"]
    assert sum(each["ops"] for each in shown["devices"]) == len(written["device"])
    assert shown["fits"] == all(e["peak_bytes"] <= e["capacity_bytes"] for e in shown["devices"])


def test_quiet_prints_nothing(tmp_path):
    output = tmp_path / "placement.json"
    result = call("inception_v3", "--evaluations", 5, "-o", output, "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    assert output.exists()


@pytest.mark.parametrize("arguments", [["--list"], ["list"]])
def test_list_names_what_is_shipped(arguments):
    output = call(*arguments).output
    assert "inception_v3" in output
    assert "xeon_4xk80" in output
    found = json.loads(call(*arguments, "--json").stdout)
    assert {"inception_v3", "msr_bert24"} <= set(found["graphs"])
    assert "xeon_4xk80" in found["clusters"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a graph"),
        (["vgg99"], "unknown graph"),
        (["inception_v3", "--cluster", "moon"], "unknown cluster"),
        (["inception_v3", "--method", "magic"], "unknown method"),
        (["inception_v3", "--evaluations", "0"], "at least 1"),
    ],
)
def test_bad_input_is_named(arguments, message):
    result = call(*arguments)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)


def test_a_cyclic_graph_file_is_refused(tmp_path):
    path = tmp_path / "cycle.json"
    path.write_text(
        json.dumps({"name": "loop", "ops": ["a", "b"], "edges": [["a", "b"], ["b", "a"]]})
    )
    result = call(path)
    assert isinstance(result.exception, InputError)
    assert "cycle" in str(result.exception)
