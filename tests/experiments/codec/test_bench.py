"""The bench of the codec: a folder of pictures gives a curve, and what it lacks is said."""

import json

import pytest
from PIL import Image
from typer.testing import CliRunner

from experiments.codec import bench
from hardware_sim.errors import InputError
from tests.envs.codec import invented


def test_a_folder_gives_a_curve(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "QUALITIES", (0.0, 6.0))
    Image.fromarray(invented.picture(176, 192)).save(tmp_path / "one.png")
    app = bench.typer.Typer()
    app.command()(bench.main)
    result = CliRunner().invoke(app, [str(tmp_path), "--output", str(tmp_path / "out.json")])
    assert result.exit_code == 0, result.output
    assert "MS-SSIM 0.98" in result.output
    found = json.loads((tmp_path / "out.json").read_text())
    coarse, fine = found["curve"]
    assert 0 < coarse["bpp"] < fine["bpp"]
    assert coarse["ms_ssim"] < fine["ms_ssim"] < 1
    assert set(found["bpp"]) == {"0.95", "0.97", "0.98", "0.99"}


def test_a_folder_without_pictures_is_named(tmp_path):
    with pytest.raises(InputError, match=str(tmp_path)):
        bench.pictures(tmp_path)
