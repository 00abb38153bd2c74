"""Accelerated networks against the networks in float64, with a real compiler."""

import copy
import pickle
import re
from dataclasses import replace

import pytest
import torch
from torch import nn

from hardware_sim.errors import InputError
from hardware_sim.host import this_machine
from hardware_sim.kernels import Variant, convolution
from hardware_sim.kernels.accelerate import accelerate, summary
from hardware_sim.kernels.accelerated import AcceleratedConvolution
from hardware_sim.kernels.model_layers import convolutions
from hardware_sim.kernels.network_plan import Measurement, NetworkPlan
from hardware_sim.kernels.tuning import plan_for, ranked

HERE = this_machine()

pytestmark = pytest.mark.filterwarnings("ignore:the plan has no kernel")


def plan_of(model, x, choose=lambda problem: ranked(problem, HERE, 1)[0]):
    """A plan that uses the variant ``choose`` names for each convolution (None for PyTorch)."""
    plan = plan_for(convolutions(model, (x,)).names.items(), HERE)
    for entry in plan.entries.values():
        variant = choose(entry.problem)
        if variant is not None:
            entry.measured.append(Measurement(variant, "ok", "", 0.0, 1.0, 2.0))
    return plan


def direct(problem):
    return Variant("direct")


def assert_close(result, model, *inputs):
    """Compares with the model in float64."""
    exact = copy.deepcopy(model).double()(*(x.double() for x in inputs))
    assert result.shape == exact.shape
    assert float((result - exact).abs().max() / exact.abs().max()) < 1e-4


class Residual(nn.Module):
    """A block as in ResNet, with the sum written in one of several ways."""

    def __init__(self, add, activate):
        super().__init__()
        self.conv1 = nn.Conv2d(6, 18, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(18)
        self.conv2 = nn.Conv2d(18, 6, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(6, affine=False)
        self.add, self.activate = add, activate

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return self.activate(self.add(y, x))


def in_place(a, b):
    a += b
    return a


def trained(model):
    """The model with statistics and scales that are not the initial ones."""
    torch.manual_seed(0)
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.running_mean.uniform_(-1, 1)
            layer.running_var.uniform_(0.5, 2)
            if layer.affine:
                nn.init.uniform_(layer.weight, 0.5, 2)
                nn.init.uniform_(layer.bias, -1, 1)
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize("add", [lambda a, b: a + b, lambda a, b: torch.add(b, a), in_place])
@pytest.mark.parametrize(
    ("choose", "runs"),
    [
        (lambda p: ranked(p, HERE, 1)[0], "winograd 4x4"),
        (direct, "direct"),
        (lambda p: None, "oneDNN"),
    ],
)
def test_batch_norm_sum_and_relu_are_fused(add, choose, runs):
    model = trained(Residual(add, nn.functional.relu))
    x = torch.randn(2, 6, 11, 13)
    fast = accelerate(model, plan_of(model, x, choose))
    assert_close(fast(x), model, x)
    layers = [each for each in fast.modules() if isinstance(each, AcceleratedConvolution)]
    assert [each.fused for each in layers] == [
        ("batch norm", "relu"),
        ("batch norm", "add", "relu"),
    ]
    assert not any(isinstance(each, nn.BatchNorm2d | nn.ReLU) for each in fast.modules())
    assert all(f": {runs}" in line for line in summary(fast).splitlines())


def test_a_sum_that_broadcasts_is_right():
    model = trained(Residual(lambda a, b: a + b.mean((2, 3), keepdim=True), torch.relu))
    x = torch.randn(1, 6, 8, 9)
    assert_close(accelerate(model, plan_of(model, x))(x), model, x)


class Disturbing(nn.Module):
    """Changes tensors in place where a careless fusion would read them too late or too early."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)

    def forward(self, x):
        x = x * 1
        y = self.a(x)
        x.mul_(3)
        z = x.clone()
        z += self.b(x)
        kept = z * 1
        z += self.a(kept)
        return y + z + kept, z.relu_()


def test_changes_in_place_keep_their_order():
    model = trained(Disturbing())
    x = torch.randn(1, 4, 5, 6)
    fast = accelerate(model, plan_of(model, x, direct))
    for result, expected in zip(fast(x), model(x), strict=True):
        torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "norm", "shape"),
    [
        (nn.Conv1d, nn.BatchNorm1d, (2, 3, 40)),
        (nn.Conv2d, nn.BatchNorm2d, (2, 3, 12, 9)),
        (nn.Conv3d, nn.BatchNorm3d, (2, 3, 5, 6, 7)),
    ],
)
@pytest.mark.parametrize("choose", [lambda p: ranked(p, HERE, 1)[0], lambda p: None])
def test_one_to_three_dimensions_and_every_layout(kind, norm, shape, choose):
    torch.manual_seed(0)
    model = trained(
        nn.Sequential(
            kind(3, 20, 3, padding=1), norm(20), nn.ReLU(),
            kind(20, 8, 3, stride=2, padding="valid", groups=4), nn.Flatten(),
        )
    )  # fmt: skip
    x = torch.randn(shape)
    fast = accelerate(model, plan_of(model, x, choose))
    assert_close(fast(x), model, x)
    assert_close(fast(x.movedim(1, -1).contiguous().movedim(-1, 1)), model, x)
    wide = torch.stack([x, x], dim=-1)[..., 0]
    assert not wide.is_contiguous()
    assert_close(fast(wide), model, x)


class Branching(nn.Module):
    """A model that torch.fx cannot trace, and that takes a view of a convolution's output."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        self.odd = nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect")

    def forward(self, x):
        y = self.body(x)
        if float(y.sum()) > -1:
            y = self.odd(y)
        return y.view(len(x), -1)


def test_layers_of_a_model_that_cannot_be_traced_are_exchanged():
    torch.manual_seed(0)
    model = trained(Branching())
    x = torch.randn(2, 3, 8, 8)
    fast = accelerate(model, plan_of(model, x))
    assert_close(fast(x), model, x)
    text = summary(fast)
    assert "nothing is fused" in text
    assert "body.0 2x3x8x8: winograd 4x4" in text
    assert "body.odd" not in text
    assert "odd: torch: padding mode 'reflect'" in text


def test_a_view_of_a_traced_model_works():
    class Viewing(nn.Sequential):
        def forward(self, x):
            return super().forward(x).view(x.size(0), -1)

    model = trained(Viewing(nn.Conv2d(3, 8, 3)))
    x = torch.randn(2, 3, 8, 8)
    assert_close(accelerate(model, plan_of(model, x))(x), model, x)


def test_a_lone_layer_is_accelerated():
    model = trained(nn.Conv2d(3, 8, 3))
    x = torch.randn(1, 3, 8, 8)
    fast = accelerate(model, plan_of(model, x))
    assert_close(fast(x), model, x)
    assert "winograd" in summary(fast)


def test_another_batch_is_left_to_torch_with_a_warning():
    model = trained(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()))
    x = torch.randn(3, 3, 9, 9)
    fast = accelerate(model, plan_of(model, x[:1]))
    with pytest.warns(UserWarning, match="batch 3"):
        result = fast(x)
    assert_close(result, model, x)
    assert_close(fast(x[:1]), model, x[:1])
    assert "0 + relu 3x3x9x9: oneDNN: this shape is not in the plan" in summary(fast)
    assert "0 + relu 1x3x9x9: winograd 4x4" in summary(fast)


@pytest.mark.parametrize("largest", [2**31 - 1, 100])
def test_no_images_and_more_pixels_than_kernels_count_are_left_to_torch(largest, monkeypatch):
    model = trained(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()))
    x = torch.randn(1, 3, 9, 9)
    fast = accelerate(model, plan_of(model, x))
    monkeypatch.setattr(convolution, "LARGEST", largest)
    if largest == 100:
        assert_close(fast(x), model, x)
        assert "torch: input of shape (1, 3, 9, 9) has more than 100" in summary(fast)
    else:
        assert fast(x[:0]).shape == (0, 8, 9, 9)
        assert "torch: batch is 0" in summary(fast)


@pytest.mark.parametrize("shape", [(1, 4, 9, 9), (1, 3, 2, 2), (1, 3, 0, 5)])
def test_an_input_that_torch_refuses_is_refused_with_its_message(shape):
    model = nn.Sequential(nn.Conv2d(3, 8, 3)).eval()
    fast = accelerate(model, plan_of(model, torch.randn(1, 3, 9, 9)))
    with pytest.raises(RuntimeError) as expected:
        model(torch.zeros(shape))
    with pytest.raises(RuntimeError, match=re.escape(str(expected.value))):
        fast(torch.zeros(shape))


def test_inputs_without_batch_and_of_other_types_work():
    model = trained(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()))
    x = torch.randn(1, 3, 9, 9)
    fast = accelerate(model, plan_of(model, x))
    assert_close(fast(x[0]), model, x[0])
    wide = copy.deepcopy(fast).double()(x.double())
    assert wide.dtype == torch.float64
    assert_close(wide, model, x)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_nan_and_infinity_go_where_they_went(value):
    torch.manual_seed(0)
    model = trained(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()))
    x = torch.randn(1, 3, 12, 12)
    fast = accelerate(model, plan_of(model, x))
    x[0, 1, 4, 5] = value
    torch.testing.assert_close(fast(x), model(x), rtol=1e-4, atol=1e-4, equal_nan=True)


def test_a_gradient_is_refused():
    model = nn.Sequential(nn.Conv2d(3, 8, 3))
    x = torch.randn(1, 3, 9, 9)
    fast = accelerate(model, plan_of(model, x))
    x.requires_grad_(True)
    with pytest.raises(InputError, match="no gradients"):
        fast(x)
    with torch.no_grad():
        assert fast(x).shape == (1, 8, 7, 7)
    assert not fast(x.detach()).requires_grad


def test_the_model_is_not_changed_and_a_copy_runs():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)).train()
    before = copy.deepcopy(model.state_dict())
    x = torch.randn(1, 3, 9, 9)
    fast = accelerate(model, plan_of(model, x))
    y = fast(x)
    assert model.training
    assert isinstance(model[0], nn.Conv2d)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    for twin in (copy.deepcopy(fast), pickle.loads(pickle.dumps(fast))):
        assert torch.equal(twin(x), y)


def test_a_model_without_convolutions_is_only_copied():
    model = nn.Sequential(nn.Linear(3, 4))
    fast = accelerate(model, NetworkPlan(HERE))
    x = torch.randn(2, 3)
    assert torch.equal(fast(x), model(x))
    assert fast is not model
    assert summary(fast) == "the model has no convolution layers"


def test_a_plan_of_another_machine_is_refused(tmp_path):
    plan = plan_for([], replace(HERE, model="another"))
    with pytest.raises(InputError, match=r"plan\.json is of no use here.*another machine.*tune"):
        accelerate(nn.Conv2d(1, 1, 1), plan.save(tmp_path / "plan.json"))


@pytest.mark.parametrize("variable", ["CC", "GYMWORKS_KERNEL_CACHE"])
def test_torch_runs_where_nothing_can_be_compiled(variable, monkeypatch, tmp_path):
    model = trained(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()))
    x = torch.randn(1, 3, 9, 9)
    plan = plan_of(model, x)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(variable, str(tmp_path / "file"))
    fast = accelerate(model, plan)
    status = "no compiler" if variable == "CC" else "no cache"
    with pytest.warns(UserWarning, match=status):
        result = fast(x)
    assert_close(result, model, x)
    assert f"oneDNN: {status}" in summary(fast)
