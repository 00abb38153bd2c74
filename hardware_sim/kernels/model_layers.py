"""The convolution layers of a PyTorch model, as problems."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from hardware_sim.errors import InputError
from hardware_sim.kernels.convolution import Problem

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d


@dataclass
class Layers:
    """The convolutions that a model computes for one input.

    Attributes:
        names: Names of the layers that have a problem, in the order of their calls.
        unsupported: Why other convolution layers are left to PyTorch, by name.
    """

    names: dict[Problem, list[str]] = field(default_factory=dict)
    unsupported: dict[str, str] = field(default_factory=dict)


def unsupported(layer: Convolution) -> str:
    """The reason why no kernel computes a layer; empty if some may."""
    if layer.padding_mode != "zeros":
        return f"padding mode {layer.padding_mode!r}; kernels pad with zeros"
    if layer.weight.dtype != torch.float32 or layer.weight.device.type != "cpu":
        return f"kernels take float32 on cpu, not {layer.weight.dtype} on {layer.weight.device}"
    if isinstance(layer, nn.modules.lazy.LazyModuleMixin):
        return "its weights are not there before it has run once"
    if layer.padding == "same" and any(
        d * (k - 1) % 2 for d, k in zip(layer.dilation, layer.kernel_size, strict=True)
    ):
        return "padding 'same' of an even kernel differs on both sides"
    return ""


def padding_of(layer: Convolution) -> tuple[int, ...]:
    """Zeros on both sides in each dimension, of a layer that is not :func:`unsupported`."""
    if layer.padding == "valid":
        return (0,) * len(layer.kernel_size)
    if layer.padding == "same":
        sizes = zip(layer.dilation, layer.kernel_size, strict=True)
        return tuple(d * (k - 1) // 2 for d, k in sizes)
    return tuple(int(each) for each in layer.padding)


def problem_of(layer: Convolution, shape: Sequence[int]) -> Problem:
    """The problem that a layer solves for an input.

    Args:
        layer: A layer that is not :func:`unsupported`.
        shape: Of the input, ``(N, C, *size)``.

    Raises:
        InputError: The kernel does not fit into the input.
    """
    return Problem(
        layer.in_channels,
        layer.out_channels,
        tuple(shape[2:]),
        layer.kernel_size,
        layer.stride,
        padding_of(layer),
        layer.dilation,
        layer.groups,
        shape[0],
    )


def convolutions(model: nn.Module, example: tuple[torch.Tensor, ...]) -> Layers:
    """Runs a model once and notes its convolutions.

    Args:
        model: Any model; it is put into evaluation mode meanwhile.
        example: Its inputs.

    Raises:
        InputError: The model does not run on them.
    """
    found = Layers()

    def note(name: str, layer: Convolution, x: torch.Tensor) -> None:
        reason = unsupported(layer)
        if reason:
            found.unsupported[name] = reason
            return
        batched = x if x.dim() == len(layer.kernel_size) + 2 else x[None]
        names = found.names.setdefault(problem_of(layer, batched.shape), [])
        if name not in names:
            names.append(name)

    hooks = [
        layer.register_forward_pre_hook(lambda layer, x, name=name: note(name, layer, x[0]))
        for name, layer in model.named_modules()
        if isinstance(layer, Convolution)
    ]
    training = {layer: layer.training for layer in model.modules()}
    try:
        with torch.no_grad():
            model.eval()(*example)
    except Exception as error:  # a stranger's model may raise anything
        shapes = ", ".join(str(tuple(each.shape)) for each in example)
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(f"the model does not run on inputs of {shapes}: {reason}") from error
    finally:
        for hook in hooks:
            hook.remove()
        for layer, mode in training.items():
            layer.training = mode
    return found
