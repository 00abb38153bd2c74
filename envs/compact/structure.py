"""The feature maps of a network that can be made compact, with their makers and readers."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from hardware_sim.errors import InputError

Activation = Callable[[Tensor], Tensor]

ACTIVATION_MODULES = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Hardswish, nn.Sigmoid, nn.Tanh,
)  # fmt: skip
CHANNEL_WISE_MODULES = (
    *ACTIVATION_MODULES, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d,
    nn.Dropout, nn.Dropout2d, nn.Identity, nn.Flatten,
)  # fmt: skip
ACTIVATION_FUNCTIONS: dict[object, Activation] = {
    functional.relu: functional.relu, torch.relu: torch.relu, functional.silu: functional.silu,
    functional.gelu: functional.gelu, torch.sigmoid: torch.sigmoid, torch.tanh: torch.tanh,
    "relu": torch.relu, "relu_": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
}  # fmt: skip
CHANNEL_WISE_FUNCTIONS = {
    *ACTIVATION_FUNCTIONS, functional.max_pool2d, functional.avg_pool2d, torch.max_pool2d,
    functional.adaptive_avg_pool2d, functional.adaptive_max_pool2d, torch.flatten,
    functional.dropout, "flatten",
}  # fmt: skip
"""Functions allowed between a convolution and its readers: they leave channels to themselves."""


@dataclass(frozen=True)
class FeatureMap:
    """A feature map that one convolution makes and only convolutions and linear layers read.

    Attributes:
        conv: Path of the convolution.
        norm: Path of the batch normalisation that follows it at once, if one does.
        site: Name of the graph's node that holds the map, before any activation.
        readers: Paths of the layers that read it.
        activation: The activation that is applied to it first.
        channels: Its channels ``d``.
    """

    conv: str
    norm: str | None
    site: str
    readers: tuple[str, ...]
    activation: Activation
    channels: int


def trace(model: nn.Module) -> fx.GraphModule:
    """The model as a graph of its modules.

    Raises:
        InputError: Its Python code branches on data, so that it has no single graph.
    """
    try:
        return fx.symbolic_trace(model)
    except (fx.proxy.TraceError, TypeError) as error:
        raise InputError(f"the model cannot be traced as one graph by torch.fx: {error}") from error


def feature_maps(traced: fx.GraphModule) -> dict[str, FeatureMap]:
    """The feature maps that can be made compact, by the path of their convolution, in order.

    A map that is added to another, is returned, or is read by a grouped convolution is left out:
    its channels are not its makers' and readers' own affair.
    """
    calls = Counter(node.target for node in traced.graph.nodes if node.op == "call_module")
    found = {}
    for node in traced.graph.nodes:
        layer = _module(traced, node)
        if not isinstance(layer, nn.Conv2d) or not _refittable(layer) or calls[node.target] > 1:
            continue
        norm = _norm(traced, node)
        site = node if norm is None else norm
        readers = _readers(traced, site)
        if readers and all(calls[reader] == 1 for reader in readers):
            found[str(node.target)] = FeatureMap(
                conv=str(node.target),
                norm=None if norm is None else str(norm.target),
                site=site.name,
                readers=tuple(readers),
                activation=_activation(traced, site),
                channels=layer.out_channels,
            )
    return found


def check_kept(maps: dict[str, FeatureMap], kept: dict[str, int]) -> None:
    """Refuses layers that cannot be compacted and dimensions out of range.

    Raises:
        InputError: One of these.
    """
    for name, channels in kept.items():
        if name not in maps:
            allowed = ", ".join(f"{m.conv} ({m.channels})" for m in maps.values()) or "none"
            raise InputError(f"layer {name!r} cannot be made compact; allowed: {allowed}")
        if not 1 <= channels <= maps[name].channels:
            raise InputError(
                f"{name} is to keep {channels} channels; allowed: 1 to {maps[name].channels}"
            )


def _module(traced: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    """The module that a node calls."""
    return traced.get_submodule(str(node.target)) if node.op == "call_module" else None


def _refittable(layer: nn.Conv2d) -> bool:
    """True if a convolution is one that the least squares can fit."""
    return (
        layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    )


def _norm(traced: fx.GraphModule, node: fx.Node) -> fx.Node | None:
    """The affine batch normalisation that alone reads a node."""
    users = list(node.users)
    module = _module(traced, users[0]) if len(users) == 1 else None
    whole = isinstance(module, nn.BatchNorm2d) and module.affine and module.track_running_stats
    return users[0] if whole else None


def _readers(traced: fx.GraphModule, site: fx.Node) -> list[str]:
    """Paths of the layers that read a map, or none if something else reads it as well."""
    readers: list[str] = []
    waiting = list(site.users)
    while waiting:
        node = waiting.pop(0)
        module = _module(traced, node)
        if isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and _refittable(module)):
            readers.append(str(node.target))
        elif isinstance(module, CHANNEL_WISE_MODULES) or node.target in CHANNEL_WISE_FUNCTIONS:
            waiting.extend(node.users)
        else:
            return []
    return readers


def _activation(traced: fx.GraphModule, site: fx.Node) -> Activation:
    """The activation that reads a map first; the identity if none does."""
    node = next(iter(site.users))
    module = _module(traced, node)
    if isinstance(module, ACTIVATION_MODULES):
        return module
    return ACTIVATION_FUNCTIONS.get(node.target, nn.Identity())
