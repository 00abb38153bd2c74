"""Every kind of kernel agrees with the definition, on whatever shapes it accepts."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardware_sim.errors import InputError
from hardware_sim.host import this_machine
from hardware_sim.kernels import (
    KernelError,
    Plan,
    Problem,
    Variant,
    applicable,
    build,
    candidates,
    opponents,
    reference,
    verify,
)
from hardware_sim.kernels.checking import relative_error
from hardware_sim.kernels.kernel import HUGE, aligned
from hardware_sim.kernels.variant import tolerance

HERE = this_machine()
AVAILABLE = [isa.name for isa in HERE.instruction_sets]


def definition(problem, x, weight, bias):
    """The definition of a convolution, by loops over taps; float64."""
    sides = [(0, 0), (0, 0)] + [(p, p) for p in problem.padding]
    padded = np.pad(x.astype(np.float64), sides)
    outputs = problem.out_channels // problem.groups
    inputs = problem.in_channels // problem.groups
    y = np.zeros(problem.output_shape) + bias.reshape(-1, *(1,) * len(problem.size))
    for tap in np.ndindex(*problem.kernel):
        window = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(
                tap, problem.dilation, problem.output, problem.stride, strict=True
            )
        )
        for g in range(problem.groups):
            to, of = (slice(g * n, (g + 1) * n) for n in (outputs, inputs))
            part = weight[(to, slice(None), *tap)].astype(np.float64)
            y[:, to] += np.einsum("kc,nc...->nk...", part, padded[(slice(None), of, *window)])
    return y


@st.composite
def problems(draw):
    """Small convolutions of every kind."""
    dimensions = draw(st.integers(1, 3))
    sizes = {
        name: tuple(draw(st.integers(low, high)) for _ in range(dimensions))
        for name, low, high in (
            ("kernel", 1, 4),
            ("stride", 1, 3),
            ("padding", 0, 2),
            ("dilation", 1, 2),
        )
    }
    size = tuple(
        draw(st.integers(d * (k - 1) + 1, 12))
        for k, d in zip(sizes["kernel"], sizes["dilation"], strict=True)
    )
    groups = draw(st.integers(1, 3))
    channels = [groups * draw(st.integers(1, 20)) for _ in range(2)]
    return Problem(*channels, size, **sizes, groups=groups, batch=draw(st.integers(1, 2)))


def data(problem, seed=0):
    """Input, weight and bias."""
    random = np.random.default_rng(seed)
    shapes = (problem.input_shape, problem.weight_shape, (problem.out_channels,))
    return [random.standard_normal(shape, np.float32) for shape in shapes]


@given(problems())
@settings(max_examples=30, deadline=None)
def test_reference_is_the_definition(problem):
    x, weight, bias = data(problem)
    exact = definition(problem, x, weight, bias)
    assert np.abs(reference.convolve(problem, x, weight, bias) - exact).max() < 1e-10


@given(
    problem=problems(),
    algorithm=st.sampled_from(["direct", "im2col", "mec"]),
    block=st.integers(0, 30),
    threads=st.integers(1, 2),
    isa=st.sampled_from(AVAILABLE),
)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_gathering_kernels_compute_any_convolution(problem, algorithm, block, threads, isa):
    variant = Variant(algorithm, block=block, threads=threads, isa=isa)
    outcome = verify(problem, variant, HERE)
    if outcome.status == "masked":
        assert algorithm == "mec"
        assert problem.dilation[-2] > 1
    else:
        assert outcome, outcome


TRANSFORMED = [
    (Problem(5, 7, (23,), (3,), padding=1), (4,)),
    (Problem(33, 40, (19,), (4,), batch=2), (3,)),
    (Problem(20, 40, (13, 17), 3, padding=1), (2, 2)),
    (Problem(20, 40, (13, 17), 3, padding=(0, 2)), (4, 4)),
    (Problem(8, 12, (15, 20), (5, 3), groups=2, padding=1), (2, 4)),
    (Problem(16, 35, (9, 30), (1, 5), padding=(0, 2)), (1, 3)),
    (Problem(16, 35, (9, 30), (3, 1), padding=(2, 0)), (6, 1)),
    (Problem(16, 33, (6, 9, 8), 3, padding=1, batch=2), (2, 2, 2)),
    (Problem(17, 33, (5, 9, 11), 3, padding=1), (2, 4, 4)),
]


@pytest.mark.parametrize(("problem", "tile"), TRANSFORMED)
def test_winograd_is_right_within_its_tolerance(problem, tile):
    variant = Variant("winograd", tile, block=5, panels=1, splits=2, threads=2)
    outcome = verify(problem, variant, HERE)
    assert outcome, outcome
    assert outcome.error <= tolerance(problem, Variant("winograd", tile))


@pytest.mark.parametrize(
    ("problem", "tile"),
    [
        (Problem(5, 7, (40,), (3,), padding=1), (14,)),
        (Problem(20, 40, (13, 17), 3, padding=1), (6, 6)),
        (Problem(8, 12, (15, 20), (5, 3), groups=2), (4, 14)),
        (Problem(3, 33, (30, 31), (11, 11), padding=5), (6, 6)),
        (Problem(6, 9, (12, 9), (3, 1), padding=(2, 0)), (6, 1)),
        (Problem(9, 17, (6, 7, 8), 3, padding=1, batch=2), (6, 6, 6)),
    ],
)
def test_fourier_tiles_are_as_exact_as_direct(problem, tile):
    outcome = verify(problem, Variant("fft", tile, block=3, splits=2, threads=2), HERE)
    assert outcome, outcome
    assert outcome.error < 1e-5


@pytest.mark.parametrize("isa", AVAILABLE)
@pytest.mark.parametrize("variant", [("winograd", (4, 4)), ("fft", (6, 6))])
def test_one_template_serves_every_instruction_set(isa, variant):
    outcome = verify(Problem(19, 37, (11, 10), 3, padding=1), Variant(*variant, isa=isa), HERE)
    assert outcome, outcome


@pytest.mark.parametrize("algorithm", ["direct", "winograd", "fft"])
def test_a_kernel_takes_torchs_tensors_in_any_layout(algorithm):
    problem = Problem(18, 20, (9, 10), 3, padding=1, batch=2)
    tile = {"winograd": (2, 2), "fft": (6, 6)}.get(algorithm, ())
    x, weight, bias = map(torch.from_numpy, data(problem))
    kernel = build(problem, Variant(algorithm, tile), HERE, weight, bias)
    exact = reference.convolve(problem, *data(problem))
    strided = torch.empty(2, 18, 9, 20)[..., ::2]
    strided.copy_(x)
    for layout in (x, opponents.channels_last(x), strided):
        y = kernel(layout)
        assert y.shape == problem.output_shape
        assert y.is_contiguous(memory_format=torch.channels_last)
        assert relative_error(y.numpy(), exact) < 1e-5
    assert kernel.scratch_bytes == 4 * Plan(problem, kernel.variant, HERE).scratch_floats


def test_a_tensor_that_does_not_fit_is_named():
    problem = Problem(3, 4, (8, 8), 3)
    weight = torch.zeros(problem.weight_shape)
    kernel = build(problem, Variant("direct"), HERE, weight)
    for x in (torch.zeros(1, 3, 8, 9), torch.zeros(1, 3, 8, 8, dtype=torch.float64)):
        with pytest.raises(InputError, match=r"expected torch\.float32"):
            kernel(x)
    with pytest.raises(InputError, match=r"expected torch\.float32"):
        kernel(torch.zeros(1, 3, 8, 8, device="meta"))
    with pytest.raises(InputError, match="no gradients"):
        kernel(torch.zeros(1, 3, 8, 8, requires_grad=True))
    with pytest.raises(InputError, match="weight is"):
        build(problem, Variant("direct"), HERE, weight[:2])
    with pytest.raises(InputError, match="bias is"):
        build(problem, Variant("direct"), HERE, weight, torch.zeros(5))


@pytest.mark.parametrize("algorithm", ["direct", "im2col", "mec", "winograd", "fft"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 3e38])
def test_what_is_not_finite_goes_where_torch_sends_it(algorithm, value):
    problem = Problem(5, 6, (14, 15), 3, padding=1)
    tile = {"winograd": (4, 4), "fft": (6, 6)}.get(algorithm, ())
    x, weight, _ = map(torch.from_numpy, data(problem))
    kernel = build(problem, Variant(algorithm, tile), HERE, weight)
    x[0, 2, 5, 6] = value
    expected = torch.nn.functional.conv2d(x, weight, padding=1)
    y = kernel(x)
    assert torch.equal(y.isnan(), expected.isnan())
    assert torch.equal(y.isinf(), expected.isinf())
    finite = expected.isfinite()
    assert torch.allclose(y[finite], expected[finite], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("algorithm", ["direct", "im2col", "mec", "winograd", "fft"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_weights_that_are_not_finite_spread_as_torchs_do(algorithm, value):
    problem = Problem(5, 6, (14, 15), 3, padding=1)
    tile = {"winograd": (4, 4), "fft": (6, 6)}.get(algorithm, ())
    x, weight, _ = map(torch.from_numpy, data(problem))
    weight[2, 1, 0, 1] = value
    expected = torch.nn.functional.conv2d(x, weight, padding=1)
    y = build(problem, Variant(algorithm, tile), HERE, weight)(x)
    assert torch.equal(y.isnan(), expected.isnan())
    assert torch.equal(y.isinf(), expected.isinf())
    finite = expected.isfinite()
    assert torch.allclose(y[finite], expected[finite], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("problem", "variant", "reason"),
    [
        ({"stride": 2}, Variant("winograd", (2, 2)), "stride 1"),
        ({"dilation": 2}, Variant("fft", (6, 6)), "dilation 1"),
        ({"kernel": 1}, Variant("winograd", (4, 4)), "one pixel"),
        ({"kernel": (1, 3)}, Variant("winograd", (4, 4)), "tiles of one output"),
        ({}, Variant("winograd", (4,)), "needs 2 positive sizes"),
        ({}, Variant("winograd", (9, 9)), "loses too many digits"),
        ({}, Variant("fft", (5, 5)), "none of"),
        ({"dilation": 2}, Variant("mec"), "MEC needs neighbouring rows"),
        ({}, Variant("direct", threads=10_000), "more than four times"),
        ({}, Variant("direct", isa="neon"), "no neon"),
        ({"size": (4000, 4000), "in_channels": 128}, Variant("im2col", block=1), "scratch memory"),
    ],
)
def test_what_does_not_apply_is_masked_with_a_reason(problem, variant, reason):
    machine = replace(HERE, instruction_set="avx2", memory_bytes=2**30)
    sizes = {"in_channels": 4, "out_channels": 8, "size": (16, 16), "kernel": 3} | problem
    outcome = applicable(Problem(**sizes), variant, machine)
    assert outcome.status == "masked"
    assert reason in outcome.detail
    with pytest.raises(KernelError, match=reason):
        build(Problem(**sizes), variant, machine, torch.zeros(Problem(**sizes).weight_shape))


def test_memory_that_is_not_known_limits_nothing():
    problem, unknown = Problem(128, 8, (4000, 4000), 3), replace(HERE, memory_bytes=None)
    assert applicable(problem, Variant("im2col", block=1), unknown)


@pytest.mark.parametrize("l2_bytes", [2**19, 2**21])
def test_blocks_fit_the_caches_of_the_machine_that_is_given(l2_bytes):
    problem = Problem(64, 64, (56, 56), 3, padding=1)
    machine = replace(HERE, l2_bytes=l2_bytes, instruction_set="portable")
    plan = Plan(problem, Variant("winograd", (4, 4)), machine)
    inputs = 4 * plan.block * 36 * 64
    assert l2_bytes / 8 < inputs <= 2 / 5 * l2_bytes
    assert plan.isa.name == "portable"


def test_candidates_apply_and_differ():
    for problem, _ in TRANSFORMED:
        found = candidates(problem, HERE)
        assert len(set(found)) == len(found)
        assert all(applicable(problem, each, HERE) for each in found)
        assert {"direct", "im2col", "mec", "winograd"} <= {each.algorithm for each in found}


@pytest.mark.parametrize(
    "settings", [{"algorithm": "magic"}, {"isa": "mmx"}, {"threads": 0}, {"block": -1}]
)
def test_settings_of_a_variant_are_checked(settings):
    with pytest.raises(InputError, match="allowed"):
        Variant(**{"algorithm": "direct"} | settings)


def test_lowered_matrices_have_the_papers_sizes():
    """Cho and Brand 2017: o_h o_w k_h k_w C floats for im2col, o_w i_h k_w C for MEC."""
    problem = Problem(3, 96, (227, 227), (11, 11), stride=4)
    sizes = {name: Plan(problem, Variant(name), HERE).scratch_floats for name in ("im2col", "mec")}
    assert sizes == {"im2col": 55 * 55 * 11 * 11 * 3, "mec": 55 * 227 * 11 * 3}


@pytest.mark.parametrize("size", [1, 300_000, 5_000_000])
def test_memory_of_kernels_can_have_large_pages(size):
    array = aligned(size)
    place = array.ctypes.data
    assert (array.shape, array.dtype, place % HUGE) == ((size,), np.float32, 0)
    assert not array.any()
    array[-1] = 1
    found = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, access = line.split()[:2]
        first, last = (int(end, 16) for end in span.split("-"))
        if first <= place < last:
            found.append((access, last >= place + array.nbytes))
    assert found == [("rw-p", True)]  # memory that processes could share gets no large pages
