"""A convolution layer that runs the kernel which a plan names, for inference."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from hardware_sim.errors import InputError
from hardware_sim.kernels.convolution import Problem
from hardware_sim.kernels.kernel import build
from hardware_sim.kernels.model_layers import Convolution, padding_of
from hardware_sim.kernels.network_plan import NetworkPlan
from hardware_sim.kernels.outcome import KernelError
from hardware_sim.kernels.reference import CONVOLUTIONS

Run = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]
LAYOUTS = {2: torch.channels_last, 3: torch.channels_last_3d}


class AcceleratedConvolution(nn.Module):
    """Convolution, then a sum with another tensor and ReLU where they were fused into it.

    At the first input of a shape the kernel is loaded and the weights are packed; later calls run
    what was prepared. Where the plan names no kernel, and where one cannot be built, PyTorch's own
    runs: oneDNN with packed weights if possible. Weights are frozen; ``state_dict`` holds none.

    Attributes:
        name: Of the layer that it stands for.
        fused: What was fused into it: some of ``batch norm``, ``add`` and ``relu``.
        runs: A description of what runs, by shape of the input.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None

    def __init__(
        self,
        name: str,
        layer: Convolution,
        plan: NetworkPlan,
        fused: tuple[str, ...] = (),
        keep_layout: bool = False,
    ) -> None:
        """Makes a layer.

        Args:
            name: Of the layer.
            layer: Its sizes and weights.
            plan: Kernels.
            fused: What is fused into it; a batch norm must be in the weights already.
            keep_layout: Whether contiguous inputs give contiguous outputs; else outputs are in
                channels-last memory.
        """
        super().__init__()
        self.name, self.fused, self.runs = name, fused, dict[tuple[int, ...], str]()
        self.register_buffer("weight", layer.weight.detach(), persistent=False)
        bias = None if layer.bias is None else layer.bias.detach()
        self.register_buffer("bias", bias, persistent=False)
        self._sizes = (layer.stride, padding_of(layer), layer.dilation, layer.groups)
        self._plan, self._relu, self._keep_layout = plan, "relu" in fused, keep_layout
        self._prepared: dict[tuple[int, ...], tuple[Run, tuple[int, ...]]] = {}

    def forward(self, x: torch.Tensor, add: torch.Tensor | None = None) -> torch.Tensor:
        """Convolves.

        Args:
            x: ``(N, C, *size)`` or ``(C, *size)``, any layout.
            add: Added to the convolution before ReLU, or None.

        Raises:
            InputError: A gradient is wanted.
        """
        if torch.is_grad_enabled() and (x.requires_grad or (add is not None and add.requires_grad)):
            raise InputError(
                "an accelerated network computes no gradients; call it under torch.no_grad()"
            )
        if x.dtype != torch.float32 or x.device.type != "cpu" or x.dim() != self.weight.dim():
            return self._torch(x, add)
        run, shape = self._prepared.get(x.shape) or self._prepare(x.shape)
        if add is not None and (add.shape != shape or add.dtype != torch.float32):
            return self._torch(x, add)
        y = run(x, add)
        return y.contiguous() if self._keep_layout and x.is_contiguous() else y

    def _prepare(self, shape: torch.Size) -> tuple[Run, tuple[int, ...]]:
        run: Run | None
        output: tuple[int, ...]
        try:
            problem = self._problem(shape)
        except InputError as error:  # no images, or too many numbers; PyTorch may know better
            run, label, output = self._torch, f"torch: {error}", ()
        else:
            output = problem.output_shape
            run, label = self._kernel(problem)
            if run is None:
                run, name = self._library(problem)
                label = f"{name}: {label}"
        self.runs[tuple(shape)] = label
        self._prepared[tuple(shape)] = run, output
        return self._prepared[tuple(shape)]

    def _problem(self, shape: torch.Size) -> Problem:
        stride, padding, dilation, groups = self._sizes
        channels = self.weight.shape[1] * groups
        if shape[1] != channels:
            raise InputError(f"the input has {shape[1]} channels; the weights take {channels}")
        return Problem(
            channels, len(self.weight), tuple(shape[2:]), tuple(self.weight.shape[2:]),
            stride, padding, dilation, groups, shape[0],
        )  # fmt: skip

    def _kernel(self, problem: Problem) -> tuple[Run | None, str]:
        """The kernel of the plan and its name, or None and why there is none."""
        entry = self._plan.entries.get(problem)
        if entry is None:
            warnings.warn(
                f"the plan has no kernel for every input of batch {problem.batch}; PyTorch's run "
                "there (summary() lists where); tune with such an input for more",
                stacklevel=4,
            )
            return None, "this shape is not in the plan"
        if entry.best is None:
            return None, "no kernel is faster" if entry.measured else "nothing was measured"
        variant = entry.best.variant
        try:
            kernel = build(
                problem, variant, self._plan.machine, self.weight, self.bias, relu=self._relu
            )
        except KernelError as error:
            warnings.warn(f"PyTorch runs convolutions: {error}", stacklevel=4)
            return None, str(error)
        return kernel, f"{variant.algorithm} {'x'.join(map(str, variant.tile))}".strip()

    def _library(self, problem: Problem) -> tuple[Run, str]:
        """PyTorch's best, and its name."""
        if len(problem.size) > 1 and torch.backends.mkldnn.is_available():
            return self._packed(problem), "oneDNN"
        return self._torch, "torch"

    def _packed(self, problem: Problem) -> Run:
        """Packs weights for oneDNN; sum and ReLU are fused into its epilogue."""
        stride, padding, dilation, groups = self._sizes
        library: Any = torch.ops.mkldnn
        weight = library._reorder_convolution_weight(
            self.weight, padding, stride, dilation, groups, problem.input_shape
        )
        layout, bias = LAYOUTS[len(problem.size)], self.bias
        relu = "relu" if self._relu else None
        sizes = (bias, padding, stride, dilation, groups)
        alone = library._convolution_pointwise.default
        summed = library._convolution_pointwise.binary

        def run(x: torch.Tensor, add: torch.Tensor | None) -> torch.Tensor:
            x = x.contiguous(memory_format=layout)
            result: torch.Tensor
            if add is None:
                result = alone(x, weight, *sizes, relu or "none", [], "")
            else:
                add = add.contiguous(memory_format=layout)
                result = summed(x, add, weight, *sizes, "add", 1.0, relu, [], "")
            return result

        return run

    def _torch(self, x: torch.Tensor, add: torch.Tensor | None) -> torch.Tensor:
        """The definition, for any type, device and layout."""
        stride, padding, dilation, groups = self._sizes
        y: torch.Tensor = CONVOLUTIONS[len(stride)](
            x, self.weight, self.bias, stride, padding, dilation, groups
        )
        y = y if add is None else y + add
        return y.relu() if self._relu else y

    def __getstate__(self) -> dict[str, Any]:
        """The state to copy or pickle: all but what was prepared, which is prepared anew."""
        return {**self.__dict__, "_prepared": {}}

    def extra_repr(self) -> str:
        """Name, shape of the weights and fused parts, as ``print(model)`` shows them."""
        kept = math.prod(self.weight.shape)
        return f"{self.name}, weights={kept}, fused={'+'.join(self.fused) or 'nothing'}"
