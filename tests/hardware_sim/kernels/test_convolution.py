"""Convolution problems: accepted and refused sizes, derived shapes and operations."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from hardware_sim.errors import InputError
from hardware_sim.kernels import Problem


@given(
    size=st.integers(1, 30),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 3),
)
def test_output_is_that_of_torch(size, kernel, stride, padding, dilation):
    sizes = {"stride": stride, "padding": padding, "dilation": dilation}
    try:
        problem = Problem(1, 1, (size,), (kernel,), **sizes)
    except InputError:
        assert size + 2 * padding < dilation * (kernel - 1) + 1
        return
    y = functional.conv1d(torch.zeros(1, 1, size), torch.zeros(1, 1, kernel), **sizes)
    assert problem.output_shape == tuple(y.shape)


def test_one_size_holds_for_every_dimension():
    problem = Problem(4, 8, (9, 10), 3, padding=1, stride=(2, 1))
    assert problem.kernel == (3, 3)
    assert problem.padding == (1, 1)
    assert problem.output == (5, 10)
    assert problem.flops == 2 * 8 * 5 * 10 * 4 * 9


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"in_channels": 0}, "in_channels is 0; allowed are integers from 1 up"),
        ({"batch": 0}, "batch is 0"),
        ({"size": (8, 0)}, "size is"),
        ({"size": (2, 2, 2, 2)}, "allowed are 1 to 3"),
        ({"kernel": (3, 3, 3)}, "differ in dimensions"),
        ({"kernel": 9}, "does not fit"),
        ({"stride": 0}, "stride is 0"),
        ({"padding": -1}, "padding is -1"),
        ({"dilation": 2.0}, "dilation is 2.0"),
        ({"groups": 3}, "3 groups divide not both"),
        ({"size": (2**20, 2**20)}, "more than 2147483647 elements"),
        ({"size": (2**31, 1), "kernel": 1}, "integers up to 2147483647"),
        ({"in_channels": 2**40}, "in_channels is"),
        ({"in_channels": 2**30}, "more than"),
        ({"out_channels": 2**30, "groups": 2}, "more than"),
        ({"batch": 2**26}, "input of shape .* more than"),
        ({"padding": 2**30}, "output of shape .* more than"),
        ({"stride": 2**70}, "integers up to"),
        ({"dilation": 2**30}, "does not fit"),
    ],
)
def test_bad_sizes_are_named(changes, message):
    sizes = {"in_channels": 4, "out_channels": 8, "size": (8, 8), "kernel": 3} | changes
    with pytest.raises(InputError, match=message):
        Problem(**sizes)
