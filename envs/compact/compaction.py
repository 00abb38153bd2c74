"""Re-configures a trained network to compact feature maps, with the outputs kept."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from envs.compact.circulant import RIDGE, CirculantProjection, fit_projection
from envs.compact.structure import FeatureMap, check_kept, feature_maps, trace
from hardware_sim.errors import InputError

FITTING_ROWS = 2_048
"""Positions of a feature map by which its projection is chosen."""

IMAGES_AT_ONCE = 32
EQUATIONS = 16
"""Equations for each unknown weight; images beyond that are not used for a layer."""

FEWEST_EQUATIONS = 4
FEWEST_IMAGES = 128
"""Positions of one picture are alike, so that as many pictures are used all the same."""


@dataclass(frozen=True)
class Compacted:
    """A network on compact feature maps.

    Attributes:
        model: Same inputs and outputs as the original; in evaluation mode.
        projections: The circulant projection of each compact map, by its convolution. They are
            folded into the weights of ``model`` and cost nothing there.
        residual: Share of the variance of each re-configured layer's target that its output
            leaves unexplained on the calibration images, by path.
    """

    model: fx.GraphModule
    projections: dict[str, CirculantProjection]
    residual: dict[str, float]


@torch.no_grad()
def compact(
    model: nn.Module, kept: Mapping[str, int], calibration: Tensor, seed: int = 0
) -> Compacted:
    """Re-configures convolutions to make and read compact feature maps.

    Every map named in ``kept`` gets a circulant projection that is fitted to it. Then, from the
    first layer to the last, the layers that make or read such a map are solved for anew: the
    weights that turn what the compact network really has at that point into the projection of
    what the original has, in the least squares over all positions of the calibration images
    (Wang et al., ICML 2017, section 3: filters are re-configured from the original input to the
    compact map). Later layers so make up for what earlier ones lose. No label is used.

    Args:
        model: A trained network that torch.fx can trace; it is left as it is.
        kept: Channels to keep, by the path of the convolution that makes the map, such as
            ``{"features.3": 16}``; maps that are not named keep all.
        calibration: Inputs as the network takes them, float ``(n, channels, height, width)``. A
            linear layer behind a global pooling needs four for each channel that it reads.
        seed: Seeds the sample of positions by which projections are fitted.

    Raises:
        InputError: A layer cannot be made compact (the message lists those that can), a number
            of channels is out of range, or there are too few calibration images.
    """
    original = trace(deepcopy(model).eval())
    maps = feature_maps(original)
    check_kept(maps, dict(kept))
    fewer = {name: k for name, k in kept.items() if k < maps[name].channels}
    changed = set(fewer).union(*(maps[name].readers for name in fewer))
    recorder = _Recorder(original, changed)
    recorder.run(calibration)
    targets = recorder.values
    projections = {}
    for name, channels in fewer.items():
        with torch.enable_grad():
            projections[name] = _projection(maps[name], targets[maps[name].site], channels, seed)
    refitter = _Refitter(deepcopy(original), projections, targets, changed)
    refitter.run(calibration)
    compacted = refitter.module
    assert isinstance(compacted, fx.GraphModule)
    compacted.recompile()
    return Compacted(compacted.eval(), projections, refitter.residual)


def compactable(model: nn.Module) -> dict[str, int]:
    """The channels of each feature map that :func:`compact` can reduce, by its convolution.

    Raises:
        InputError: The model cannot be traced.
    """
    return {name: found.channels for name, found in feature_maps(trace(model)).items()}


def _projection(found: FeatureMap, values: Tensor, kept: int, seed: int) -> CirculantProjection:
    """The projection of a map, fitted to a sample of its positions."""
    rows = values.movedim(1, -1).reshape(-1, found.channels)
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(rows), generator=generator)[:FITTING_ROWS]
    return fit_projection(rows[chosen], kept, found.activation)


class _Recorder(fx.Interpreter):
    """Runs a network and keeps what some of its layers give, and normalisations behind them."""

    def __init__(self, module: fx.GraphModule, layers: set[str]) -> None:
        super().__init__(module)
        self.extra_traceback = False
        self.layers = layers
        self.values: dict[str, Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Runs a node and records it if it is asked for."""
        value = super().run_node(n)
        layer = n.all_input_nodes[0] if _is_norm(self.module, n) else n
        if layer.op == "call_module" and str(layer.target) in self.layers:
            self.values[n.name] = value.clone()  # an activation may work in place
        return value


class _Refitter(fx.Interpreter):
    """Runs a network and solves for its layers on the way, each from what really reaches it."""

    def __init__(
        self,
        module: fx.GraphModule,
        projections: dict[str, CirculantProjection],
        targets: dict[str, Tensor],
        changed: set[str],
    ) -> None:
        super().__init__(module)
        self.extra_traceback = False
        self.projections, self.targets, self.changed = projections, targets, changed
        self.intercepts: dict[str, Tensor] = {}
        self.residual: dict[str, float] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Runs a node; a layer to be re-configured is replaced first."""
        path = str(n.target)
        if n.op == "call_module" and path in self.changed:
            self._refit(n, path)
        elif n.op == "call_module" and path in self.intercepts:
            self._renorm(n, path)
        return super().run_node(n)

    def _refit(self, node: fx.Node, path: str) -> None:
        """Puts the layer that the least squares give in the place of the old one."""
        layer = self.fetch_attr(path)
        (inputs,), _ = self.fetch_args_kwargs_from_env(node)
        norm = next((user for user in node.users if _is_norm(self.module, user)), None)
        target = self.targets[node.name if norm is None else norm.name]
        if path in self.projections:
            target = self.projections[path](target)
        fitted, intercept, self.residual[path] = fit_layer(
            layer, inputs, target, intercept=layer.bias is not None or norm is not None
        )
        self.module.set_submodule(path, fitted)
        if norm is not None:
            self.intercepts[str(norm.target)] = intercept
        elif fitted.bias is not None:
            fitted.bias.copy_(intercept)

    def _renorm(self, node: fx.Node, path: str) -> None:
        """A normalisation that adds the intercept and otherwise changes nothing, yet."""
        old = self.fetch_attr(path)
        (inputs,), _ = self.fetch_args_kwargs_from_env(node)
        norm = nn.BatchNorm2d(inputs.shape[1], eps=old.eps, momentum=old.momentum)
        mean, variance = inputs.mean(dim=(0, 2, 3)), inputs.var(dim=(0, 2, 3))
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + old.eps).sqrt())
        norm.bias.copy_(mean + self.intercepts[path])
        self.module.set_submodule(path, norm.eval())


def _is_norm(module: nn.Module, node: fx.Node) -> bool:
    """True if a node calls a batch normalisation."""
    return node.op == "call_module" and isinstance(
        module.get_submodule(str(node.target)), nn.BatchNorm2d
    )


def fit_layer(
    layer: nn.Conv2d | nn.Linear, inputs: Tensor, target: Tensor, intercept: bool
) -> tuple[nn.Conv2d | nn.Linear, Tensor, float]:
    """The layer of the same kind that brings inputs nearest to a target.

    Args:
        layer: Gives kernel, stride, padding and dilation, and whether there is a bias.
        inputs: ``(n, k, height, width)``, or ``(n, k)`` for a linear layer.
        target: The output wanted, ``(n, m, ...)``.
        intercept: Whether a constant may be added; it is returned, not put into the layer.

    Returns:
        The layer from ``k`` to ``m``, its bias zero; the intercept ``(m,)``; and the share of
        the target's variance that is left.

    Raises:
        InputError: There are fewer than four equations for each unknown weight.
    """
    unknowns = layer.weight[0, :1].numel() * inputs.shape[1] + 1
    positions = target[0, 0].numel()
    needed = -(-FEWEST_EQUATIONS * unknowns // positions)
    if len(inputs) < needed:
        raise InputError(
            f"{len(inputs)} calibration images are too few for {unknowns} unknown weights; use "
            f"{needed} images or more"
        )
    used = max(-(-EQUATIONS * unknowns // positions), FEWEST_IMAGES)
    inputs, target = inputs[:used], target[:used]
    equations = len(inputs) * positions
    gram = torch.zeros(unknowns, unknowns, dtype=torch.float64)
    cross = torch.zeros(unknowns, target.shape[1], dtype=torch.float64)
    square = torch.zeros((), dtype=torch.float64)
    for few, wanted in zip(inputs.split(IMAGES_AT_ONCE), target.split(IMAGES_AT_ONCE), strict=True):
        rows = _rows(layer, few)
        right = wanted.movedim(1, -1).reshape(len(rows), -1)
        rows = functional.pad(rows, (0, 1), value=float(intercept))
        gram += (rows.T @ rows).double()
        cross += (rows.T @ right).double()
        square += right.double().square().sum()
    weights = torch.linalg.solve(_ridged(gram), cross)
    left = square - 2 * (weights * cross).sum() + (weights * (gram @ weights)).sum()
    mean = target.double().mean(dim=[d for d in range(target.ndim) if d != 1])
    variance = square - equations * mean.square().sum()
    fitted = _like(layer, inputs.shape[1], target.shape[1])
    fitted.weight.copy_(weights[:-1].T.reshape(fitted.weight.shape))
    return fitted, weights[-1].float(), float(left / variance)


def _ridged(gram: Tensor) -> Tensor:
    """Normal equations with a little added to the diagonal, not to the constant's."""
    ridge = torch.full((len(gram),), RIDGE * float(gram.diagonal()[:-1].mean()) + 1e-12)
    ridge[-1] = 1e-12
    return gram + ridge.to(gram.dtype).diag()


def _rows(layer: nn.Conv2d | nn.Linear, inputs: Tensor) -> Tensor:
    """The numbers that a layer's weights multiply, a row an output position."""
    if isinstance(layer, nn.Linear):
        return inputs
    padding = layer.padding
    assert not isinstance(padding, str)
    patches = functional.unfold(
        inputs, layer.kernel_size, layer.dilation, padding=padding, stride=layer.stride
    )
    return patches.movedim(1, -1).flatten(0, 1)


def _like(layer: nn.Conv2d | nn.Linear, inputs: int, outputs: int) -> nn.Conv2d | nn.Linear:
    """A layer of the same kind of another size, with a bias of zero if there is one."""
    bias = layer.bias is not None
    new: nn.Conv2d | nn.Linear
    if isinstance(layer, nn.Linear):
        new = nn.Linear(inputs, outputs, bias)
    else:
        new = nn.Conv2d(
            inputs, outputs, layer.kernel_size, layer.stride, layer.padding, layer.dilation,  # type: ignore[arg-type]
            bias=bias,
        )  # fmt: skip
    if new.bias is not None:
        nn.init.zeros_(new.bias)
    return new
