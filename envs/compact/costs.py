"""Costs of running a network: parameters, multiplications, memory, and measured time."""

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from envs.compact.structure import trace
from hardware_sim.timing import interleaved, one_thread

TURN_S = 0.004


@dataclass(frozen=True)
class LayerCost:
    """One convolution or linear layer on one input.

    Attributes:
        parameters: Number of weights and biases.
        multiplications: Number of multiplications by its weights.
        map_bytes: Size of its output in float32.
        input_shape: Shape of its input, without the batch.
    """

    parameters: int
    multiplications: int
    map_bytes: int
    input_shape: tuple[int, ...]


def layer_costs(model: nn.Module, image_shape: tuple[int, int, int]) -> dict[str, LayerCost]:
    """The cost of every convolution and linear layer for one image, by path, in order of use."""
    found: dict[str, LayerCost] = {}

    def watch(path: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            weight = layer.get_parameter("weight")
            found[path] = LayerCost(
                parameters=sum(p.numel() for p in layer.parameters()),
                multiplications=output[0].numel() * weight[0].numel(),
                map_bytes=output[0].numel() * 4,
                input_shape=tuple(inputs[0].shape[1:]),
            )

        return hook

    hooks: list[Any] = [
        module.register_forward_hook(watch(path))
        for path, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    training = model.training
    with torch.inference_mode():
        model.eval()(torch.zeros(1, *image_shape))
    model.train(training)
    for hook in hooks:
        hook.remove()
    return found


def deployed(model: nn.Module) -> fx.GraphModule:
    """A copy for running: normalisations folded into convolutions, channels last in memory.

    Raises:
        InputError: The model cannot be traced.
    """
    traced = trace(deepcopy(model).eval())
    for node in list(traced.graph.nodes):
        maker = node.args[0] if node.args else None
        if not isinstance(maker, fx.Node) or {node.op, maker.op} != {"call_module"}:
            continue
        conv = traced.get_submodule(str(maker.target))
        norm = traced.get_submodule(str(node.target))
        alone = len(maker.users) == 1
        if alone and isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            traced.set_submodule(str(maker.target), fuse_conv_bn_eval(conv, norm))
            node.replace_all_uses_with(maker)
            traced.graph.erase_node(node)
    traced.recompile()
    moved: fx.GraphModule = traced.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


@torch.inference_mode()
def interleaved_seconds(runs: Sequence[tuple[nn.Module, Tensor]], rounds: int) -> list[float]:
    """Processor seconds of one call of each, on one core, the least of many rounds.

    Args:
        runs: Modules and their inputs.
        rounds: Turns of each; a module that takes less than :data:`TURN_S` is called several times
            a turn.
    """
    calls = {i: partial(module, inputs) for i, (module, inputs) in enumerate(runs)}
    with one_thread():
        timings = interleaved(calls, turn_s=TURN_S, least=rounds, most=rounds, limit_s=math.inf)
    return [timing.best for timing in timings.values()]
