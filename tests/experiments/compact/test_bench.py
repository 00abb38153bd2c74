"""The bench of compact feature maps and the table behind the environment, on tiny data."""

import json

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import nn

from envs.compact.cifar import Pictures, Splits
from envs.compact.costs import layer_costs
from envs.compact.network import IMAGE_SHAPE, WIDTHS
from envs.compact.table import load_table
from experiments.compact import bench, choice, table
from hardware_sim.errors import InputError

SHORT = bench.Epochs(0.5, 0.5)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small networks train faster so, where other tests run beside."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def splits():
    generator = torch.Generator().manual_seed(0)
    pictures = Pictures(torch.randn(300, *IMAGE_SHAPE, generator=generator), torch.arange(300) % 10)
    return Splits(pictures, pictures, pictures)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, splits):
    """A run folder of two seeds, trained for a blink."""
    path = tmp_path_factory.mktemp("compact")
    bench.train_all(path, 1, splits, SHORT, "cpu", Console(quiet=True))
    return path


def test_every_method_is_trained_and_can_be_loaded_again(folder, splits):
    for method in ("original", *bench.METHODS):
        report = json.loads((folder / f"{method}-0.json").read_text())
        model = bench.load(folder, method, 0)
        assert bench.accuracy(model, splits.test) == report["test"]


def test_what_is_there_is_not_trained_again(folder, splits):
    report = folder / "circulant-0.json"
    before = report.read_text()
    report.write_text("{}")
    bench.train_one(folder, "circulant", 0, splits, SHORT)
    assert report.read_text() == "{}"
    report.write_text(before)


def test_rivals_multiply_no_more_often_than_the_compact_network():
    ours = bench.costs("circulant")["multiplications"]
    assert bench.costs("narrow") == bench.costs("pruned") == bench.costs("circulant")
    assert bench.costs("pruned-large") == bench.costs("circulant-large")
    assert 0.85 * ours < bench.costs("low-rank")["multiplications"] <= 1.01 * ours


def test_the_result_holds_targets_and_figures_reached(folder):
    result = {
        "methods": bench.summary(folder, 1),
        "times": {"32": bench.times(2, 1)},
        "projection": [{"channels": 8, "rows": 64, "fourier_s": 1.0, "dense_s": 3.0}],
        "environment": [{"environment": "one", "steps_per_s": 10.0}],
    }
    result["targets"] = bench.targets(result)
    _, _, speed, loss = result["targets"]
    seconds = result["times"]["32"]
    before, after = (sum(seconds[m]["convolutions_s"]) for m in ("original", "circulant"))
    assert speed["reached"] == pytest.approx(before / after)
    assert speed["met"] == (before / after >= 4)
    rows = {row["method"]: row for row in result["methods"]}
    lost = rows["original"]["test"][0] - rows["circulant"]["test"][0]
    assert loss["reached"] == pytest.approx(lost)
    assert rows["original"]["lost"] == 0
    console = Console(record=True, width=160)
    bench.show(result, console)
    shown = console.export_text()
    assert "channels of all layers pruned" in shown
    assert "3.0x the dense matrix" in shown
    json.dumps(result)


def test_the_design_chosen_promises_least_loss_at_its_speed():
    shipped = load_table()
    seconds = shipped.seconds[32]
    kept = choice.chosen(4, 32, whole=True)
    place = tuple(
        int(np.flatnonzero(row == k)[0]) for row, k in zip(shipped.kept, kept, strict=True)
    )
    assert min(place) > 0
    assert seconds[(0,) * 5] / seconds[place] > 3.8  # with pooling and the linear layer
    assert choice.chosen(4.5, 32, whole=True) != kept
    large = choice.chosen(4, 32, whole=False)
    assert large[0] == WIDTHS[0]
    assert bench.Method("", large, "circulant").compressed == [3, 4]
    assert bench.Method("", kept, "circulant").compressed == [0, 1, 2, 3, 4]
    with pytest.raises(InputError, match="no design is 99 times"):
        choice.chosen(99, 32, whole=True)


def test_speed_ups_are_those_of_the_compressed_layers():
    seconds = {
        "original": {"network_s": 20.0, "convolutions_s": [1.0, 2.0, 3.0, 4.0, 8.0]},
        "circulant-large": {"network_s": 10.0, "convolutions_s": [1.0, 2.0, 3.0, 1.0, 2.0]},
    }
    assert bench.speed_ups("circulant-large", seconds) == {
        "compressed layers": 4.0,
        "whole network": 2.0,
    }


def test_designs_use_every_choice_of_a_layer_equally_often():
    chosen = table.designs(40)
    for column in chosen.T:
        assert np.bincount(column).tolist() == [8] * 5
    assert len(np.unique(chosen, axis=0)) > 35


def test_blocks_make_up_the_network():
    kept = table.kept_channels()
    assert kept[:, 0].tolist() == list(WIDTHS)
    parts = [table._block(i, (3, *WIDTHS)[i], WIDTHS[i]) for i in range(len(WIDTHS))]
    x = torch.randn(2, *IMAGE_SHAPE)
    for block, shape in parts:
        assert tuple(x.shape[1:]) == shape
        x = block(x)
    costs = [
        cost.multiplications
        for block, shape in parts
        for cost in layer_costs(block, shape).values()
    ]
    whole = layer_costs(bench.architecture("original"), IMAGE_SHAPE)
    assert costs == [cost.multiplications for cost in whole.values()][:-1]


def test_times_have_a_figure_for_every_pair_of_choices():
    found = table.block_seconds(1, 1)
    assert np.array(found["layers"]).shape == (5, 5, 5)
    assert np.array(found["head"]).shape == (5,)
    assert np.min(found["layers"]) > 0


def test_the_surrogates_error_is_that_of_designs_it_has_not_seen():
    shipped = load_table().record["accuracy"]
    again = table.surrogate(shipped["designs"], shipped["whole"])
    assert again["coefficients"] == pytest.approx(shipped["coefficients"])
    changed = [dict(row) for row in shipped["designs"]]
    for row in changed[4::5]:
        row["accuracy"] -= 0.1
    worse = table.surrogate(changed, shipped["whole"])
    assert worse["coefficients"] == pytest.approx(shipped["coefficients"])
    assert worse["held_out_rmse_points"] > again["held_out_rmse_points"]


def test_known_designs_are_not_tried_again(folder, splits):
    rows = table.designs(40).tolist()
    (folder / "designs.json").write_text(json.dumps({str(row): 0.5 for row in rows}))
    found = table.accuracies(folder, 40, splits, Console(quiet=True))
    assert [row["choice"] for row in found] == rows
    assert {row["accuracy"] for row in found} == {0.5}


def test_low_rank_is_split_in_two():
    split = bench.architecture("low-rank").get_submodule("conv3")
    assert [type(part) for part in split.children()] == [nn.Conv2d, nn.Conv2d]
