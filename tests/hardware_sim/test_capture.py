"""Capturing modules, and deriving training steps."""

from importlib.resources import files

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hardware_sim.capture import capture
from hardware_sim.errors import InputError
from hardware_sim.graph import OpGraph
from hardware_sim.networks.inception_v3 import InceptionV3, Unit
from hardware_sim.training import training_step


@pytest.fixture(scope="module")
def inception() -> OpGraph:
    with torch.device("meta"):
        return capture(InceptionV3(), (torch.empty(32, 3, 299, 299),), "inception_v3")


def _edges(graph: OpGraph) -> dict[tuple[str, str], int]:
    ends = ((graph.ops[u], graph.ops[v]) for u, v in graph.edges)
    return dict(zip(ends, graph.edge_bytes.tolist(), strict=True))


def test_inception_has_the_published_size() -> None:
    with torch.device("meta"):
        network = InceptionV3()
    # 27,161,264 with the auxiliary head, which has two units and a linear layer.
    auxiliary = 768 * 128 + 2 * 128 + 128 * 768 * 5 * 5 + 2 * 768 + 768 * 1000 + 1000
    assert sum(p.numel() for p in network.parameters()) == 27_161_264 - auxiliary == 23_834_568
    assert sum(isinstance(part, Unit) for part in network.modules()) == 94


def test_inception_computes_logits_of_real_images() -> None:
    network = InceptionV3(classes=10).eval()
    with torch.no_grad():
        logits = network(torch.rand(2, 3, 299, 299))
    assert logits.shape == (2, 10)
    assert torch.isfinite(logits).all()


def test_inception_graph(inception: OpGraph) -> None:
    products = [kind in ("convolution", "linear") for kind in inception.kinds]
    assert inception.flops[products].sum() == pytest.approx(365.7e9, rel=1e-3)
    assert inception.flops.sum() == pytest.approx(365.7e9, rel=0.01)
    count = {kind: inception.kinds.count(kind) for kind in set(inception.kinds)}
    assert count == {
        "input": 1,
        "convolution": 94,
        "batch_norm": 94,
        "relu": 94,
        "cat": 15,
        "avg_pool": 9,
        "max_pool": 4,
        "mean": 1,
        "linear": 1,
    }
    assert inception.num_groups == 125
    # Parameters, and the running mean and variance of every batch norm, in four bytes each.
    channels = inception.parameter_bytes[[k == "batch_norm" for k in inception.kinds]].sum() // 16
    assert inception.parameter_bytes.sum() == 4 * (23_834_568 + 2 * channels)


def test_a_unit_is_one_group(inception: OpGraph) -> None:
    group = dict(zip(inception.ops, inception.groups, strict=True))
    path = "Mixed_5b.b5x5.1"
    assert group[f"{path}.conv"] == group[f"{path}.bn"] == group[f"{path}.relu"]
    assert group[f"{path}.conv"] != group["Mixed_5b.b5x5.0.conv"]


def test_sizes_of_one_op(inception: OpGraph) -> None:
    i = inception.ops.index("Conv2d_2a_3x3.conv")
    read, weight, wrote = 32 * 32 * 149**2 * 4, 32 * 32 * 9 * 4, 32 * 32 * 147**2 * 4
    assert inception.output_bytes[i] == wrote
    assert inception.parameter_bytes[i] == weight
    assert inception.traffic_bytes[i] == read + weight + wrote
    assert inception.flops[i] == 2 * 32 * 32 * 32 * 9 * 147**2
    # The indices of a max pool are not counted, as nothing reads them.
    assert inception.output_bytes[inception.ops.index("maxpool1")] == 32 * 64 * 73**2 * 4


def test_the_shipped_inception_is_what_capture_gives(inception: OpGraph) -> None:
    shipped = files("hardware_sim").joinpath("data", "graphs", "inception_v3.json.gz")
    assert OpGraph.load(str(shipped)).to_json() == inception.to_json()


def test_views_fold_and_shared_parameters_share_a_group() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(50, 8)

        def forward(self, tokens: Tensor) -> Tensor:
            left, right = self.table(tokens).split(4, dim=-1)
            both = torch.cat([right, left], dim=-1)
            return both.transpose(0, 1).contiguous() @ self.table.weight.t()

    module = Tied()
    graph = capture(module, (torch.zeros(3, 5, dtype=torch.int64),), "tied")
    assert [kind for kind in graph.kinds if kind != "input"] == ["embedding", "cat", "linear"]
    ends = {(graph.kinds[u], graph.kinds[v]) for u, v in graph.edges}
    assert ends == {("input", "embedding"), ("embedding", "cat"), ("cat", "linear")}
    table, _, linear = (graph.kinds.index(kind) for kind in ("embedding", "cat", "linear"))
    assert graph.groups[table] == graph.groups[linear]
    assert graph.parameter_bytes.sum() == graph.parameter_bytes[table] == 50 * 8 * 4
    # Looking up 15 of 50 rows reads the tokens and moves those rows in and out.
    assert graph.traffic_bytes[table] == 15 * 8 + 2 * 15 * 8 * 4
    assert graph.flops[linear] == 2 * 15 * 8 * 50
    assert module.table.weight.device.type == "cpu"
    assert module.training


def test_repeated_ops_get_unique_names() -> None:
    graph = capture(nn.LSTM(4, 4), (torch.empty(3, 1, 4),), "lstm")
    assert len(set(graph.ops)) == len(graph)
    # All three time steps use the recurrent weights, so these products go together.
    products = [g for g, kind in zip(graph.groups, graph.kinds, strict=True) if kind == "linear"]
    assert len(set(products)) == 2 < len(products)


def test_a_module_without_ops_is_refused() -> None:
    with pytest.raises(InputError, match="computes nothing"):
        capture(nn.Identity(), (torch.empty(3),), "identity")


def test_training_step_of_a_small_network() -> None:
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    forward = capture(network, (torch.empty(5, 4),), "mlp")
    step = training_step(forward)
    x, hidden, out = 5 * 4 * 4, 5 * 8 * 4, 5 * 2 * 4
    assert _edges(step) == {
        ("input", "0"): x,
        ("0", "1"): hidden,
        ("1", "2"): hidden,
        ("2", "2/grad"): out,
        ("1", "2/grad"): hidden,
        ("2/grad", "1/grad"): hidden,
        ("1", "1/grad"): hidden,
        ("1/grad", "0/grad"): hidden,
        ("input", "0/grad"): x,
    }
    flops = dict(zip(step.ops, step.flops, strict=True))
    assert flops["0/grad"] == flops["0"], "the input of the network needs no gradient"
    assert flops["2/grad"] == 2 * flops["2"]
    assert flops["1/grad"] == flops["1"]
    parameters = dict(zip(step.ops, step.parameter_bytes, strict=True))
    assert parameters["0"] == 3 * (4 * 8 + 8) * 4
    assert parameters["0/grad"] == 0
    traffic = dict(zip(step.ops, step.traffic_bytes, strict=True))
    assert traffic["2/grad"] == 2 * traffic["2"] + 5 * (8 * 2 + 2) * 4
    assert step.ops[step.edges[-1][1]] == "0/grad"


def test_training_step_of_inception(inception: OpGraph) -> None:
    step = training_step(inception)
    assert len(step) == 2 * len(inception) - 1
    assert step.num_groups == inception.num_groups
    group = dict(zip(step.ops, step.groups, strict=True))
    assert all(group[op] == group[op.removesuffix("/grad")] for op in step.ops)
    ratio = step.flops.sum() / inception.flops.sum()
    assert 2.98 < ratio < 3.0
    assert step.parameter_bytes.sum() == 3 * inception.parameter_bytes.sum()
    assert (step.edges[:, 0] < step.edges[:, 1]).all()


def test_training_step_of_measured_times() -> None:
    forward = OpGraph.build(
        "chain",
        ["a", "b"],
        [("a", "b")],
        kinds=["input", "convolution"],
        measured_ms={"gpu": [0.0, 3.0]},
    )
    assert training_step(forward).measured_ms.tolist() == [[0.0], [3.0], [3.0]]
    measured = training_step(forward, {"gpu": [0.0, 7.0]})
    assert np.array_equal(measured.measured_ms[:, 0], [0.0, 3.0, 7.0])
    with pytest.raises(InputError, match="backward_ms"):
        training_step(forward, {"cpu": [0.0, 7.0]})
    with pytest.raises(InputError, match="backward_ms"):
        training_step(forward, {"gpu": [7.0]})
    with pytest.raises(InputError, match="finite"):
        training_step(forward, {"gpu": [0.0, float("nan")]})
