"""Compact feature maps: re-configuration, rivals, costs."""

import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional

from envs.compact.cifar import Pictures
from envs.compact.compaction import compact, compactable, fit_layer
from envs.compact.costs import deployed, interleaved_seconds, layer_costs
from envs.compact.network import small_cnn
from envs.compact.rivals import low_rank, prune_channels
from envs.compact.tuning import accuracy, fine_tune, match
from hardware_sim.errors import InputError


def textures(count, seed=0):
    """Pictures whose class is the width and the direction of their stripes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 10
    x, y = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    across = torch.where((labels % 2 == 0)[:, None, None], x, y)
    phase = 6.28 * torch.rand(count, 3, 1, 1, generator=generator)
    wave = (0.4 + 0.3 * (labels // 2))[:, None, None] * across
    noise = 0.3 * torch.randn(count, 3, 32, 32, generator=generator)
    return Pictures(torch.sin(wave[:, None] + phase) + noise, labels)


class Residual(nn.Module):
    """One block whose sum ties the channels of two convolutions."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.inner = nn.Conv2d(8, 12, 3, padding=1)
        self.outer = nn.Conv2d(12, 8, 1)
        self.classes = nn.Linear(8 * 4, 5)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = torch.relu(x + self.outer(functional.relu(self.inner(x))))
        return self.classes(torch.flatten(functional.adaptive_avg_pool2d(x, 2), 1))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small networks train faster so, where other tests run beside."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def trained():
    """A network of a few channels that classifies stripes, and its pictures."""
    torch.manual_seed(0)
    pictures = textures(640)
    network = small_cnn((8, 12, 12, 16, 16))
    fine_tune(network, pictures, 12, seed=0, rate=0.1)
    return network, pictures


def test_a_layer_is_found_again_by_the_least_squares():
    torch.manual_seed(0)
    for layer, inputs in (
        (nn.Conv2d(3, 5, 3, stride=2, padding=1), torch.randn(40, 3, 9, 9)),
        (nn.Conv2d(2, 4, (1, 3), dilation=(1, 2)), torch.randn(40, 2, 6, 9)),
        (nn.Linear(7, 3), torch.randn(50, 7)),
    ):
        with torch.no_grad():
            fitted, intercept, left = fit_layer(layer, inputs, layer(inputs), intercept=True)
        assert torch.allclose(fitted.weight, layer.weight, atol=2e-3)
        assert torch.allclose(intercept, layer.bias, atol=2e-3)
        assert left < 1e-5
        assert fitted.bias.abs().max() == 0


def test_keeping_everything_changes_nothing(trained):
    network, pictures = trained
    whole = compact(network, {"conv1": 8, "conv4": 16}, pictures.inputs[:64])
    assert whole.projections == {}
    assert torch.equal(whole.model(pictures.inputs[:8]), network(pictures.inputs[:8]))


def test_redundant_maps_are_compacted_without_loss():
    """Maps of six channels, repeated: three of four combinations of twelve hold all."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1), nn.Conv2d(12, 4, 3, padding=1), nn.Flatten()
    )
    with torch.no_grad():
        network[0].weight[6:] = network[0].weight[:6]
        network[0].bias[6:] = network[0].bias[:6]
    inputs = torch.randn(32, 3, 10, 10)
    result = compact(network, {"0": 6}, inputs)
    difference = (result.model(inputs) - network(inputs)).square().mean()
    assert difference / network(inputs).var() < 1e-4


def test_a_compacted_network_starts_from_what_was_learned_and_can_be_tuned(trained):
    network, pictures = trained
    held_out = textures(200, seed=5)
    kept = {"conv1": 6, "conv2": 6, "conv3": 6, "conv4": 8, "conv5": 8}
    result = compact(network, kept, pictures.inputs[:128])
    assert {name: p.kept for name, p in result.projections.items()} == kept
    blank = accuracy(small_cnn((6, 6, 6, 8, 8)), held_out)
    before = accuracy(network, held_out)
    start = accuracy(result.model, held_out)
    tuned = accuracy(
        fine_tune(result.model, pictures, 3, seed=0, teacher=network, rate=0.02), held_out
    )
    assert before > 0.9
    assert start > blank + 0.3
    assert tuned >= max(start, 0.9 * before)
    assert not result.model.training
    pickle.loads(pickle.dumps(result.model))


def test_a_network_learns_another_s_outputs_without_labels(trained):
    network, pictures = trained
    inputs = textures(200, seed=6).inputs
    student = small_cnn((6, 6, 6, 8, 8))
    taught = Pictures(inputs, network(inputs).argmax(dim=1))
    before = accuracy(student, taught)
    assert match(student, network, pictures.inputs, 12, seed=0) is student
    assert accuracy(student, taught) > before + 0.4
    with pytest.raises(InputError, match=r"\(640, 12, 8, 8\); only"):
        match(student, network[:9], pictures.inputs, 1, seed=0)


def test_a_normalisation_is_carried_over_in_the_same_place(trained):
    network, pictures = trained
    result = compact(network, {"conv2": 6}, pictures.inputs[:64])
    inputs = pictures.inputs[:64]
    norm = result.model.get_submodule("norm2")
    seen = {}
    handle = norm.register_forward_hook(lambda _, given, out: seen.update(given=given[0], out=out))
    result.model(inputs)
    handle.remove()
    shift = (seen["out"] - seen["given"]).mean(dim=(0, 2, 3))
    assert torch.allclose(
        seen["out"] - seen["given"], shift[:, None, None].expand_as(seen["out"]), atol=1e-3
    )


def test_maps_that_are_added_stay_whole_and_inner_ones_can_go():
    network = Residual().eval()
    assert compactable(network) == {"inner": 12}
    inputs = torch.randn(64, 3, 8, 8)
    result = compact(network, {"inner": 6}, inputs)
    assert result.model(inputs).shape == network(inputs).shape
    with pytest.raises(InputError, match=r"'stem' cannot be made compact; allowed: inner \(12\)"):
        compact(network, {"stem": 4}, inputs)


def test_a_linear_layer_reads_a_flattened_map():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 3)
    )
    inputs = torch.randn(200, 1, 8, 8)
    result = compact(network, {"0": 4}, inputs)
    assert result.model.get_submodule("4").in_features == 16
    left = (result.model(inputs) - network(inputs)).square().mean()
    assert left < network(inputs).var(dim=0).mean()
    assert prune_channels(network, {"0": 4})(inputs).shape == (200, 3)


@pytest.mark.parametrize(
    ("kept", "count", "message"),
    [
        ({"conv9": 4}, 64, "allowed: conv1"),
        ({"conv1": 0}, 64, "1 to 8"),
        ({"conv1": 9}, 64, "1 to 8"),
        ({"conv5": 4}, 1, "images or more"),
    ],
)
def test_bad_requests_name_what_is_allowed(trained, kept, count, message):
    network, pictures = trained
    with pytest.raises(InputError, match=message):
        compact(network, kept, pictures.inputs[:count])


def test_a_model_that_branches_on_data_is_refused():
    class Branching(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(InputError, match=r"torch\.fx"):
        compactable(Branching())


def test_pruning_keeps_the_largest_filters_exactly(trained):
    network, pictures = trained
    pruned = prune_channels(network, {"conv1": 4})
    norms = network.conv1.weight.abs().sum(dim=(1, 2, 3))
    kept = norms.topk(4).indices.sort().values
    masked = small_cnn((8, 12, 12, 16, 16))
    masked.load_state_dict(network.state_dict())
    gone = [c for c in range(8) if c not in kept]
    with torch.no_grad():
        masked.norm1.weight[gone] = 0
        masked.norm1.bias[gone] = 0
    inputs = pictures.inputs[:16]
    assert torch.allclose(pruned(inputs), masked.eval()(inputs), atol=1e-5)


def test_full_rank_is_exact_and_ranks_out_of_range_are_refused(trained):
    network, pictures = trained
    inputs = pictures.inputs[:16]
    assert torch.allclose(low_rank(network, {"conv3": 12})(inputs), network(inputs), atol=1e-4)
    weight = network.conv3.weight.detach().flatten(1)
    split = low_rank(network, {"conv3": 5}).get_submodule("conv3")
    product = split.get_submodule("1").weight.flatten(1) @ split.get_submodule("0").weight.flatten(
        1
    )
    error = float(torch.linalg.matrix_norm((product - weight).detach(), ord=2))
    assert error == pytest.approx(float(torch.linalg.svdvals(weight)[5]), rel=1e-3)
    with pytest.raises(InputError, match="1 to 12"):
        low_rank(network, {"conv3": 13})
    with pytest.raises(InputError, match="no convolution"):
        low_rank(network, {"norm1": 1})


def test_costs_are_those_of_the_formulas():
    costs = layer_costs(small_cnn((4, 6, 6, 8, 8)), (3, 32, 32))
    assert list(costs) == ["conv1", "conv2", "conv3", "conv4", "conv5", "classes"]
    assert costs["conv2"].multiplications == 4 * 6 * 9 * 16 * 16
    assert costs["conv2"].parameters == 4 * 6 * 9
    assert costs["conv1"].map_bytes == 4 * 4 * 16 * 16
    assert costs["classes"].multiplications == 80
    assert costs["conv4"].input_shape == (6, 8, 8)


def test_a_network_for_running_gives_the_same_without_normalisations(trained):
    network, pictures = trained
    ready = deployed(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in ready.children()) or all(
        "norm" not in str(node.target) for node in ready.graph.nodes
    )
    assert torch.allclose(ready(pictures.inputs[:8]), network(pictures.inputs[:8]), atol=1e-4)


def test_times_are_positive_and_the_number_of_threads_is_given_back(trained):
    network, pictures = trained
    before = torch.get_num_threads()
    seconds = interleaved_seconds([(network, pictures.inputs[:2])] * 2, rounds=2)
    assert len(seconds) == 2
    assert min(seconds) > 0
    assert torch.get_num_threads() == before


def test_the_same_seed_trains_the_same():
    pictures = textures(256)
    first, second, other = (
        fine_tune(small_cnn((4, 4, 4, 4, 4)), pictures, 1, seed=seed) for seed in (0, 0, 1)
    )
    assert torch.equal(first.conv3.weight, second.conv3.weight)
    assert not torch.equal(first.conv3.weight, other.conv3.weight)
    with pytest.raises(InputError, match="no step"):
        fine_tune(first, pictures, 0.1, seed=0)
