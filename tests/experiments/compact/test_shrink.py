"""The verb ``compact`` on a module of one's own."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from experiments.cli import app
from hardware_sim.errors import InputError

NETWORK = """
import torch
from torch import nn

def network():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3))

def classifier():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
    )

number = 3
"""


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small networks train faster so, where other tests run beside."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "compact_verb_network.py").write_text(NETWORK)
    np.save("images.npy", np.random.default_rng(0).normal(size=(20, 3, 10, 10)))
    return tmp_path


def run(*arguments):
    """Runs the command; returns the printed text, raises its exceptions."""
    typed = ["compact", *arguments]
    result = CliRunner().invoke(app, typed, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_layers_are_listed_and_a_network_is_written(files):
    source = ["compact_verb_network:network", "--inputs", "images.npy"]
    assert run(*source).splitlines() == ["0: 8 channels"]
    shown = run(*source, "--keep", "0=4", "-o", "small.pt")
    assert "multiplications" in shown
    model = torch.load("small.pt", weights_only=False)
    assert model.get_submodule("0").out_channels == 4
    assert model(torch.zeros(2, 3, 10, 10)).shape == (2, 4, 6, 6)


def test_the_json_has_layers_and_costs(files):
    source = ["compact_verb_network:network", "--inputs", "images.npy", "--json"]
    assert json.loads(run(*source)) == {"layers": {"0": 8}}
    torch.manual_seed(0)  # the network draws its weights
    found = json.loads(run(*source, "--keep", "0=4"))
    assert found["compact"]["map_bytes"] < found["original"]["map_bytes"]
    assert found["original"]["time_us"] > 0
    assert found["variance_lost"]["0"] == pytest.approx(0, abs=1e-5)
    assert 0 < found["variance_lost"]["2"] < 1
    assert run(*source[:-1], "--keep", "0=4", "--quiet") == ""


def test_a_classifier_is_tuned_without_labels(files):
    np.save("images.npy", np.random.default_rng(1).normal(size=(160, 3, 10, 10)))
    source = ["compact_verb_network:classifier", "--inputs", "images.npy", "--keep", "0=4"]
    run(*source, "-o", "solved.pt")
    run(*source, "--tune", "2", "-o", "tuned.pt")
    solved, tuned = (torch.load(f"{name}.pt", weights_only=False) for name in ("solved", "tuned"))
    assert tuned.get_submodule("0").weight.shape == (4, 3, 3, 3)
    assert not torch.equal(*(each.get_submodule("0").weight for each in (solved, tuned)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compact_verb_network:network", "--keep", "0=4", "--tune", "9"], r"\(n, classes\)"),
        (["compact_verb_network:classifier", "--keep", "0=4", "--tune", "1"], "no step of 128"),
        (["compact_verb_network:absent"], "cannot be found"),
        (["compact_verb_network:number"], "expected a torch module"),
        (["compact_verb_network:network", "--keep", "0"], "not LAYER=CHANNELS"),
        (["compact_verb_network:network", "--keep", "0=9"], "1 to 8"),
    ],
)
def test_bad_requests_are_refused(files, arguments, message):
    with pytest.raises(InputError, match=message):
        run(*arguments, "--inputs", "images.npy")


def test_files_that_hold_no_pictures_are_refused(files):
    np.save("flat.npy", np.zeros(3))
    (files / "text.npy").write_text("no")
    for name, message in (("flat.npy", r"\(n, channels, h, w\)"), ("text.npy", "no .npy")):
        with pytest.raises(InputError, match=message):
            run("compact_verb_network:network", "--inputs", name)
