"""A kernel that is ready to run on PyTorch's tensors."""

import ctypes
import math
import mmap
import threading
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hardware_sim.errors import InputError
from hardware_sim.kernels import compiler
from hardware_sim.kernels.checking import verify
from hardware_sim.kernels.convolution import Problem
from hardware_sim.kernels.outcome import KernelError
from hardware_sim.kernels.variant import Plan, Variant
from hardware_sim.machine import Machine

HUGE = 2**21
"""Bytes of a large page; memory of that size is asked for in such pages."""


class Kernel:
    """A compiled convolution with its weights, for inference.

    Calls are serialised, as they share scratch memory. Where the transforms of Winograd or FFT meet
    numbers that are not finite, or overflow, the whole call is computed anew by the direct kernel;
    so NaN and infinity go where the definition sends them.

    Attributes:
        problem: The convolution that it computes.
        variant: The way that it computes it.
        relu: Whether the result is cut off below zero.
        scratch_bytes: Scratch memory, kept between calls.
    """

    def __init__(
        self,
        plan: Plan,
        library: Path,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        relu: bool = False,
    ) -> None:
        self.problem, self.variant, self.relu = plan.problem, plan.variant, relu
        self._machine = plan.machine
        self.scratch_bytes = 4 * plan.scratch_floats
        self._weight, self._bias = weight, bias
        self._run = ctypes.CDLL(str(library)).run
        self._run.argtypes = [ctypes.c_void_p] * 7
        self._arguments = plan.arguments(relu)
        self._packed = aligned_copy(plan.pack(weight.numpy()))
        self._packed_bias = plan.pack_bias(None if bias is None else bias.numpy())
        self._scratch = aligned(plan.scratch_floats)
        self._addresses = (self._packed.ctypes.data, self._packed_bias.ctypes.data)
        self._ends = (self._scratch.ctypes.data, self._arguments.ctypes.data)
        self._lock = threading.Lock()

    def __call__(self, x: torch.Tensor, add: torch.Tensor | None = None) -> torch.Tensor:
        """Convolves, adds, and cuts off below zero if ``relu`` is set.

        Args:
            x: float32 ``(N, C, *size)`` on the CPU. Channels-last memory is read as it is; any
                other layout is copied first.
            add: float32 ``(N, K, *output)`` on the CPU in any layout, added to the convolution; or
                None.

        Returns:
            float32 ``(N, K, *output)`` in channels-last memory.

        Raises:
            InputError: Another shape, type or device, or a gradient is wanted.
        """
        self._check("input", x, self.problem.input_shape)
        lines = x.movedim(1, -1).contiguous()
        given = None
        if add is not None:
            self._check("what is added", add, self.problem.output_shape)
            given = add.movedim(1, -1).contiguous()
        y = torch.empty(
            (self.problem.batch, *self.problem.output, self.problem.out_channels),
            dtype=torch.float32,
        )
        with self._lock:
            tainted = self._run(
                lines.data_ptr(),
                *self._addresses,
                y.data_ptr(),
                *self._ends,
                None if given is None else given.data_ptr(),
            )
        return self._direct(x, add) if tainted else y.movedim(-1, 1)

    @cached_property
    def _direct(self) -> "Kernel":
        variant = Variant("direct", threads=self.variant.threads, isa=self.variant.isa)
        return build(self.problem, variant, self._machine, self._weight, self._bias, relu=self.relu)

    def _check(self, what: str, x: torch.Tensor, expected: tuple[int, ...]) -> None:
        if tuple(x.shape) != expected or x.dtype != torch.float32 or x.device.type != "cpu":
            raise InputError(
                f"{what} is {x.dtype} {tuple(x.shape)} on {x.device}; "
                f"expected torch.float32 {expected} on cpu"
            )
        if x.requires_grad and torch.is_grad_enabled():
            raise InputError("kernels compute no gradients; call them under torch.no_grad()")


def build(
    problem: Problem,
    variant: Variant,
    machine: Machine,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    *,
    relu: bool = False,
) -> Kernel:
    """Compiles a variant, checks it in a child process unless that is done, and loads it.

    Args:
        problem: A convolution.
        variant: A way to compute it.
        machine: The processor that it is fitted to, this one.
        weight: float32 ``(K, C / groups, *kernel)``.
        bias: float32 ``(K,)`` or None.
        relu: Whether the result is cut off below zero.

    Raises:
        InputError: Weight or bias have another shape or type.
        KernelError: The variant does not apply, cannot be compiled, or failed its check.
    """
    for name, tensor, shape in (
        ("weight", weight, problem.weight_shape),
        ("bias", bias, (problem.out_channels,)),
    ):
        if tensor is not None and (tuple(tensor.shape) != shape or tensor.dtype != torch.float32):
            raise InputError(
                f"{name} is {tensor.dtype} {tuple(tensor.shape)}; expected torch.float32 {shape}"
            )
    outcome = verify(problem, variant, machine)
    if not outcome:
        raise KernelError(outcome)
    plan = Plan(problem, variant, machine)
    library = compiler.library(plan.source(), plan.isa.flags)
    kept = None if bias is None else bias.detach().cpu()
    return Kernel(plan, library, weight.detach().cpu(), kept, relu)


def aligned(size: int) -> NDArray[np.float32]:
    """float32 zeros ``(size,)`` from a large page on, within such pages where it fills one."""
    # Private, as systems rarely give large pages to memory that processes could share.
    memory = mmap.mmap(-1, 4 * size + 2 * HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE") and 4 * size > HUGE // 2:
        memory.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(memory, np.uint8)
    start = -whole.ctypes.data % HUGE
    return whole[start : start + 4 * size].view(np.float32)


def aligned_copy(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A copy that begins at a large page; see :func:`aligned`."""
    copy = aligned(math.prod(values.shape)).reshape(values.shape)
    copy[...] = values
    return copy
