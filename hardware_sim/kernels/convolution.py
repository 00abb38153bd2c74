"""A convolution as a problem to solve: its sizes, and what they imply."""

import math
from dataclasses import dataclass

from hardware_sim.errors import InputError

LARGEST = 2**31 - 1
"""Greatest size, and most elements that a tensor of a problem may have, as in oneDNN."""


@dataclass(frozen=True)
class Problem:
    """A convolution (cross-correlation, as in :func:`torch.nn.functional.conv2d`) in float32.

    Sizes per dimension may be given as one integer, which then holds for every dimension.

    Attributes:
        in_channels: ``C``, channels of the input.
        out_channels: ``K``, channels of the output.
        size: Input pixels in each of one to three dimensions.
        kernel: Kernel pixels in each dimension.
        stride: Step of the kernel in each dimension.
        padding: Zeros on both sides in each dimension.
        dilation: Distance of neighbouring kernel pixels in each dimension.
        groups: Groups of channels that are convolved separately.
        batch: Number of images.

    Raises:
        InputError: A size is no positive integer (padding: not negative) up to :data:`LARGEST`,
            the dimensions differ, the kernel does not fit into the padded input, the groups do not
            divide the channels, or a tensor would have more than :data:`LARGEST` elements.
    """

    in_channels: int
    out_channels: int
    size: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...] = (1,)
    padding: tuple[int, ...] = (0,)
    dilation: tuple[int, ...] = (1,)
    groups: int = 1
    batch: int = 1

    def __post_init__(self) -> None:
        size = _integers("size", self.size, 1)
        if not 1 <= len(size) <= 3:
            raise InputError(f"size {self.size} has {len(size)} dimensions; allowed are 1 to 3")
        object.__setattr__(self, "size", size)
        for name, least in (("kernel", 1), ("stride", 1), ("padding", 0), ("dilation", 1)):
            values = _integers(name, getattr(self, name), least)
            values = values * len(size) if len(values) == 1 else values
            if len(values) != len(size):
                raise InputError(f"{name} {values} and size {size} differ in dimensions")
            object.__setattr__(self, name, values)
        for name in ("in_channels", "out_channels", "groups", "batch"):
            _integers(name, getattr(self, name), 1)
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise InputError(
                f"{self.groups} groups divide not both {self.in_channels} input "
                f"and {self.out_channels} output channels"
            )
        if min(self.output) < 1:
            raise InputError(f"kernel {self.kernel} does not fit into the padded input of {self}")
        for name, shape in (
            ("input", self.input_shape),
            ("weight", self.weight_shape),
            ("output", self.output_shape),
        ):
            if math.prod(shape) > LARGEST:
                raise InputError(f"{name} of shape {shape} has more than {LARGEST} elements")

    @property
    def output(self) -> tuple[int, ...]:
        """Output pixels in each dimension."""
        return tuple(
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(
                self.size, self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input, ``(N, C, *size)``."""
        return (self.batch, self.in_channels, *self.size)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weight, ``(K, C / groups, *kernel)``."""
        return (self.out_channels, self.in_channels // self.groups, *self.kernel)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the output, ``(N, K, *output)``."""
        return (self.batch, self.out_channels, *self.output)

    @property
    def flops(self) -> int:
        """Floating-point operations of the definition, two for each product."""
        return 2 * math.prod(self.output_shape) * math.prod(self.weight_shape[1:])


def _integers(name: str, value: object, least: int) -> tuple[int, ...]:
    """The value as a tuple of integers from ``least`` to :data:`LARGEST`."""
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    for number in values:
        if not isinstance(number, int) or isinstance(number, bool) or number < least:
            raise InputError(f"{name} is {value!r}; allowed are integers from {least} up")
        if number > LARGEST:
            raise InputError(f"{name} is {value!r}; allowed are integers up to {LARGEST}")
    return values
