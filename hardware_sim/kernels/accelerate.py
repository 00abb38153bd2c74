"""Runs a network's convolutions with tuned kernels: ``accelerate(model, plan)``.

Where :mod:`torch.fx` can trace the model, batch norms are folded into the weights, sums and ReLUs
are done by the kernel as it stores its results, and activations stay in channels-last memory from
layer to layer. Where it cannot, the layers are exchanged one by one.
"""

import operator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from hardware_sim.errors import InputError
from hardware_sim.host import this_machine
from hardware_sim.kernels.accelerated import AcceleratedConvolution
from hardware_sim.kernels.model_layers import Convolution, unsupported
from hardware_sim.kernels.network_plan import NetworkPlan

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
RELUS = (functional.relu, functional.relu_, torch.relu, torch.relu_, "relu", "relu_")
SUMS = (operator.add, torch.add, "add")
IN_PLACE = ("setitem", "iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow")
SUMS_IN_PLACE = (operator.iadd, "add_")


def accelerate(model: nn.Module, plan: NetworkPlan | str | Path) -> nn.Module:
    """A copy of a model, for inference, whose convolutions run tuned kernels.

    Outputs agree with the model's within the kernels' tolerances (:func:`variant.tolerance`); NaN
    and infinity go where they went. The first call packs the weights. Inputs of other shapes than
    tuned for, layers that no kernel computes and those where none is faster are left to PyTorch;
    :func:`summary` lists them. A tensor that wants a gradient raises :class:`InputError`.

    Args:
        model: Any model on the CPU; it is not changed.
        plan: A plan that ``gymworks tune`` wrote, or its path.

    Raises:
        InputError: The plan cannot be read or comes from another machine.
    """
    where = plan if isinstance(plan, str | Path) else "the plan"
    plan = plan if isinstance(plan, NetworkPlan) else NetworkPlan.load(plan)
    here = this_machine()
    if reason := plan.foreign(here):
        raise InputError(f"{where} is of no use here: {reason}; run gymworks tune here")
    plan = replace(plan, machine=here)
    copy = deepcopy(model).eval().requires_grad_(False)
    if not any(isinstance(layer, Convolution) for layer in copy.modules()):
        return copy
    if isinstance(copy, Convolution):
        return _exchange(copy, plan)
    try:
        traced = fx.symbolic_trace(copy)
    except Exception as error:  # whatever the model's code raises when run on symbols
        exchanged = _exchange(copy, plan)
        exchanged.untraced = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"  # type: ignore[assignment]
        return exchanged
    return _fuse(traced, plan)


def summary(model: nn.Module) -> str:
    """Lists what runs each convolution of an accelerated model; complete after a first call.

    Args:
        model: A model that :func:`accelerate` returned.
    """
    lines = []
    if reason := getattr(model, "untraced", ""):
        lines.append(f"nothing is fused: torch.fx cannot trace the model ({reason})")
    for name, layer in model.named_modules():
        if isinstance(layer, AcceleratedConvolution):
            fused = f" + {' + '.join(layer.fused)}" if layer.fused else ""
            runs = layer.runs or {(): "not called yet"}
            for shape, label in runs.items():
                lines.append(f"{layer.name}{fused} {'x'.join(map(str, shape))}: {label}")
        elif isinstance(layer, Convolution):
            lines.append(f"{name}: torch: {unsupported(layer) or 'called in an unusual way'}")
    return "\n".join(lines) or "the model has no convolution layers"


def _exchange(model: nn.Module, plan: NetworkPlan) -> nn.Module:
    """Exchanges the layers of a model that cannot be traced; layouts are kept for its code."""
    if isinstance(model, Convolution):
        return (
            model if unsupported(model) else AcceleratedConvolution("model", model, plan, (), True)
        )
    for name, layer in list(model.named_modules()):
        if isinstance(layer, Convolution) and not unsupported(layer):
            parent, _, child = name.rpartition(".")
            made = AcceleratedConvolution(name, layer, plan, (), True)
            setattr(model.get_submodule(parent), child, made)
    return model


def _fuse(traced: fx.GraphModule, plan: NetworkPlan) -> fx.GraphModule:
    """Replaces each convolution of a graph, and what follows it, by one layer."""
    for node in list(traced.graph.nodes):
        layer = _module(node)
        if isinstance(layer, Convolution) and not unsupported(layer) and _is_plain(node):
            _replace(traced, node, layer, plan)
        elif node.target == "view" and not any(isinstance(a, torch.dtype) for a in node.args):
            node.target = "reshape"  # views of channels-last memory may not exist
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


def _replace(traced: fx.GraphModule, node: fx.Node, layer: Convolution, plan: NetworkPlan) -> None:
    chain, fused, inputs, place = [node], [], [node.args[0]], node
    follower = _follower(node)
    norm = _module(follower)
    if follower and isinstance(norm, BATCH_NORMS) and norm.running_var is not None:
        layer = folded(layer, norm)
        fused.append("batch norm")
        chain.append(follower)
    total, other = _sum(chain[-1])
    if total and other and not _disturbed(node, total):
        fused.append("add")
        inputs.append(other)
        chain.append(total)
        place = total  # where both operands are there
    follower = _follower(chain[-1])
    if follower and (_is_call(follower, RELUS) or isinstance(_module(follower), nn.ReLU)):
        fused.append("relu")
        chain.append(follower)
    name = f"{str(node.target).replace('.', '_')}_{node.name}"
    traced.add_submodule(name, AcceleratedConvolution(str(node.target), layer, plan, tuple(fused)))
    with traced.graph.inserting_before(place):
        made = traced.graph.call_module(name, tuple(inputs))
    chain[-1].replace_all_uses_with(made)
    for old in reversed(chain):
        traced.graph.erase_node(old)


def folded(layer: Convolution, norm: nn.modules.batchnorm._BatchNorm) -> Convolution:
    """The convolution that does what it and a batch norm in evaluation mode do (in float64)."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = (norm.running_var.double() + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.double()
    before = 0 if layer.bias is None else layer.bias.double()
    shift = (before - norm.running_mean.double()) * scale
    if norm.bias is not None:
        shift = shift + norm.bias.double()
    result = deepcopy(layer)
    weight = layer.weight.double() * scale.reshape(-1, *[1] * (layer.weight.dim() - 1))
    result.weight = nn.Parameter(weight.float(), requires_grad=False)
    result.bias = nn.Parameter(shift.float(), requires_grad=False)
    return result


def _module(node: fx.Node | None) -> nn.Module | None:
    """The module that a node calls, if it calls one."""
    if node is None or node.op != "call_module":
        return None
    owner = node.graph.owning_module
    return owner.get_submodule(str(node.target)) if owner is not None else None


def _is_plain(node: fx.Node) -> bool:
    return len(node.args) == 1 and not node.kwargs and isinstance(node.args[0], fx.Node)


def _is_call(node: fx.Node, targets: tuple[Any, ...]) -> bool:
    """True if a node calls one of some functions, or methods where a target is a string."""
    return node.op in ("call_function", "call_method") and node.target in targets


def _follower(node: fx.Node) -> fx.Node | None:
    """The one node that uses a result, or None if there are more or none."""
    return next(iter(node.users)) if len(node.users) == 1 else None


def _sum(node: fx.Node) -> tuple[fx.Node | None, fx.Node | None]:
    """The one node that uses a result, and what that adds to it; None if it is no plain sum."""
    total = _follower(node)
    if total is None or total.kwargs or len(total.args) != 2:
        return total, None
    first, second = total.args
    if not (isinstance(first, fx.Node) and isinstance(second, fx.Node)) or first is second:
        return total, None
    if _is_call(total, SUMS):
        return total, second if first is node else first
    # A sum in place changes its first operand, which others may use.
    return total, second if _is_call(total, SUMS_IN_PLACE) and first is node else None


def _disturbed(start: fx.Node, end: fx.Node) -> bool:
    """True if anything between two nodes may change tensors in place."""
    node = start.next
    while node is not end:
        if _mutates(node):
            return True
        node = node.next
    return False


def _mutates(node: fx.Node) -> bool:
    if node.op == "call_module":
        return bool(getattr(_module(node), "inplace", False))
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    by_name = name.endswith("_") or name in IN_PLACE
    is_call = node.op in ("call_function", "call_method")
    return is_call and (by_name or bool(node.kwargs.get("inplace")) or "out" in node.kwargs)
