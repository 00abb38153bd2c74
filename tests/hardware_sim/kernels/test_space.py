"""The layers, the space of variants over them, and the roofline's predictions on it."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware_sim.errors import InputError
from hardware_sim.host import this_machine
from hardware_sim.kernels import layers, roofline, space
from hardware_sim.kernels.convolution import Problem
from hardware_sim.kernels.measuring import small
from hardware_sim.kernels.variant import Plan, applicable

HERE = this_machine()


@st.composite
def problems(draw):
    dimensions = draw(st.integers(2, 3))
    kernel = tuple(draw(st.integers(1, 5)) for _ in range(dimensions))
    size = tuple(draw(st.integers(k, k + 12)) for k in kernel)
    return Problem(
        draw(st.integers(1, 40)),
        draw(st.integers(1, 40)),
        size,
        kernel,
        (draw(st.integers(1, 2)),),
        (draw(st.integers(0, 2)),),
    )


def test_no_layer_of_the_test_split_has_a_shape_of_the_train_split():
    splits = [{layer.problem for layer in layers.named(split)} for split in layers.SPLITS]
    assert sum(map(len, splits)) == len(set.union(*splits)) == len(layers.LAYERS)


def test_layers_are_found_by_name_or_the_error_lists_them():
    assert layers.find("ResNet4").problem.out_channels == 256
    assert [layer.name for layer in layers.named(["VGG1.2"])] == ["VGG1.2"]
    for wrong in ("valid", ["VGG9.9"], []):
        with pytest.raises(InputError, match="allowed"):
            layers.named(wrong)


@settings(max_examples=25, deadline=None)
@given(problem=problems(), seed=st.integers(0, 2**32 - 1))
def test_every_open_choice_is_an_applicable_variant(problem, seed):
    rng = np.random.default_rng(seed)
    for _ in range(4):
        drawn = [int(rng.choice(np.flatnonzero(mask))) for mask in space.masks(problem, HERE)]
        variant = space.variant(problem, tuple(drawn), HERE)
        assert applicable(problem, variant, HERE)
        assert space.METHODS[drawn[0]].name in space.label(tuple(drawn))


@settings(max_examples=4, deadline=None)
@given(problem=problems())
def test_choices_are_partitioned_by_what_they_mean(problem):
    found = space.choices(problem, HERE)
    meanings = [choice for choices in found.values() for choice in choices]
    assert len(set(meanings)) == len(meanings)
    assert len(meanings) == math.prod(int(mask.sum()) for mask in space.masks(problem, HERE))
    for variant, choices in found.items():
        for choice in choices:
            asked = Plan(problem, space.variant(problem, choice, HERE), HERE)
            plan = Plan(problem, variant, HERE)
            assert (plan.block, asked.source()) == (asked.block, plan.source())
            assert plan.panels == asked.panels


def test_flat_tiles_are_for_volumes_and_large_ones_for_large_images():
    names = [method.name for method in space.METHODS]
    flat, large = names.index("Winograd 2x4"), names.index("FFT 32")
    assert space.is_offered(Problem(64, 64, (4, 14, 14), (3, 3, 3), padding=(1,)), flat, HERE)
    assert not space.is_offered(layers.find("ResNet2").problem, flat, HERE)
    assert space.is_offered(layers.find("ResNet2").problem, large, HERE)
    assert not space.is_offered(layers.find("ResNet5").problem, large, HERE)


def test_the_block_is_a_multiple_of_the_fitting_one():
    problem = layers.find("ResNet2").problem
    method = next(i for i, each in enumerate(space.METHODS) if each.name == "Winograd 4")
    blocks = [
        space.variant(problem, (method, b, 1, 0), HERE).block for b in range(len(space.BLOCKS))
    ]
    fitting = blocks[space.BLOCKS.index(1.0)]
    assert blocks == [max(1, round(ratio * fitting)) for ratio in space.BLOCKS]


def test_weights_are_counted_as_they_are_packed():
    problem = Problem(20, 40, (12, 12), (3, 3), padding=(1,), groups=1)
    rng = np.random.default_rng(0)
    weight = rng.standard_normal(problem.weight_shape)
    for method, mask in enumerate(space.masks(problem, HERE)[0]):
        plan = Plan(problem, space.variant(problem, (method, 2, 1, 0), HERE), HERE)
        if mask and not plan.variant.is_transformed:
            assert plan.pack(weight).nbytes == space.weight_bytes(problem, method, HERE)
        work = roofline.work(problem, plan.variant, HERE)
        if mask and plan.variant.is_transformed:
            assert plan.pack(weight).nbytes == work.weight_bytes


def test_the_roofline_predicts_every_open_choice_and_no_other():
    problem = layers.find("ResNet5").problem
    predictions = roofline.predict(problem, HERE)
    open_ = np.ix_(*space.masks(problem, HERE))
    expected = np.zeros(space.SIZES, np.bool_)
    expected[open_] = True
    assert (np.isfinite(predictions) == expected).all()


def test_more_work_takes_longer_by_the_roofline():
    problem = layers.find("ResNet3").problem
    wider = replace(problem, out_channels=4 * problem.out_channels)
    for choice in ((0, 2, 1, 0), (3, 2, 1, 0), (5, 2, 1, 0)):
        times = [
            roofline.seconds(each, space.variant(each, choice, HERE), HERE)
            for each in (problem, wider)
        ]
        assert times[0] < times[1]
    assert roofline.library_s(problem) < roofline.library_s(wider)


@settings(max_examples=25, deadline=None)
@given(problem=problems())
def test_a_small_problem_is_of_the_same_kind(problem):
    found = small(problem)
    assert (found.kernel, found.stride, found.padding) == (
        problem.kernel,
        problem.stride,
        problem.padding,
    )
    assert small(replace(problem, in_channels=8, out_channels=8)) == found
