"""Training of the codec: it learns, and a run that was stopped goes on as if it had not been."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from agents.codec import pictures, recipe
from agents.codec.ceilings import measure_ceilings
from agents.codec.pictures import crops, data_folder, tensor
from agents.codec.recipe import Training
from envs.codec.entropy import HIGHEST, Rectifier
from envs.codec.network import CodecNetwork
from envs.weights import load_weights
from hardware_sim.errors import InputError
from tests.envs.codec import invented

SIDE = 192


@pytest.fixture(scope="module")
def found() -> list[np.ndarray]:
    return [invented.picture(200, 260, seed) for seed in range(3)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in pictures.FOLDERS:
        (tmp_path / name).mkdir()
        for seed in range(2):
            Image.fromarray(invented.picture(192, 200, seed)).save(tmp_path / name / f"{seed}.png")
    monkeypatch.setenv("GYMWORKS_CODEC_DATA", str(tmp_path))
    return tmp_path


def test_a_few_steps_lower_the_loss(found, monkeypatch):
    monkeypatch.setattr(recipe, "WARM_UP", 1)
    training = Training(5e-4, "cpu", 0)
    losses = []
    for _ in range(12):
        training.step = 0  # the same crop, quality and noise again
        losses.append(training.update(found, 1, SIDE, 1.0))
    assert losses[-1] < 0.9 * losses[0]


def test_a_resumed_run_goes_on_as_if_it_had_not_been_stopped(found, tmp_path):
    whole = Training(1e-3, "cpu", 3)
    first = [whole.update(found, 1, SIDE, 1.0) for _ in range(2)]
    whole.save(tmp_path / "checkpoint.pt")
    other = Training(1e-3, "cpu", 3)
    other.load(tmp_path / "checkpoint.pt")
    assert [other.update(found, 1, SIDE, 1.0) for _ in range(2)] == [
        whole.update(found, 1, SIDE, 1.0) for _ in range(2)
    ]
    for one, two in zip(whole.average.parameters(), other.average.parameters(), strict=True):
        assert torch.equal(one, two)
    assert len(first) == 2


def test_crops_are_pictures_and_the_seed_decides_them(found):
    one, two = (crops(found, 4, SIDE, np.random.default_rng(7)) for _ in range(2))
    assert one.shape == (4, 3, SIDE, SIDE)
    assert torch.equal(one, two)
    assert 0 <= one.min() < one.max() <= 1


def test_a_missing_folder_is_named(monkeypatch, tmp_path):
    monkeypatch.delenv("GYMWORKS_CODEC_DATA", raising=False)
    with pytest.raises(InputError, match="GYMWORKS_CODEC_DATA"):
        data_folder()
    monkeypatch.setenv("GYMWORKS_CODEC_DATA", str(tmp_path))
    with pytest.raises(InputError, match=pictures.FOLDERS[0]):
        data_folder()


def test_the_command_trains_resumes_and_exports(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "LOG_EVERY", 1)
    run, weights = tmp_path / "run", tmp_path / "weights.safetensors"
    common = [str(run), "--batch", "1", "--side", str(SIDE), "--decay", "1"]
    for steps in ("1", "2"):
        result = CliRunner().invoke(recipe.app, ["train", *common, "--steps", steps])
        assert result.exit_code == 0, result.output
    with (run / "training.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2"]
    with (run / "held-out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2"]
    assert float(rows[0]["bpp@0.0"]) > 0
    with Image.open(run / "samples-0000002.png") as shown:
        assert shown.size == (4 * 200, 192)
    result = CliRunner().invoke(recipe.app, ["export", str(run), str(weights)])
    assert result.exit_code == 0, result.output
    network = CodecNetwork()
    load_weights(network, weights)
    assert all(
        (each.ceiling < HIGHEST).all() for each in network.modules() if isinstance(each, Rectifier)
    )
    more = Training(1e-3, "cpu", 0, weights).network
    assert all(
        (each.ceiling == HIGHEST).all() for each in more.modules() if isinstance(each, Rectifier)
    )
    assert torch.equal(more.analysis.out.weight, network.analysis.out.weight)


def test_measured_ceilings_hold_what_was_measured_and_change_nothing_there():
    torch.manual_seed(0)
    network = CodecNetwork().eval()
    picture = tensor(invented.picture(128, 128))
    quality = torch.tensor([7.0])
    with torch.no_grad():
        before = network(picture[None], quality).bits
        measure_ceilings(network, [picture])
        after = network(picture[None], quality).bits
    assert torch.equal(before, after)
