"""Edits of a nest: what they do, that they keep what is computed, and the compiled counterpart."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.loops import kernel
from envs.loops.nest import ACTIONS, LARGEST_BODY, MAX_LOOPS, STOP, Kind, Nest
from envs.loops.problem import CONVOLUTIONS, MATMUL_SIZES, Problem
from hardware_sim.errors import InputError

NAMES = ("matmul-64x96x32", "matmul-14x60x9", "conv-8x6x4-16-3x3", "conv-56x56x64-64-1x1")


def play(name, edits, threads=2):
    """The nest after edits by name."""
    nest = Nest.unscheduled(Problem.parse(name), threads)
    for edit in edits.split(", "):
        nest = nest.after(ACTIONS.index(edit))
    return nest


def walk(name, choices):
    """The nests of a legal walk; each choice picks one of the legal actions."""
    nest = Nest.unscheduled(Problem.parse(name), threads=2)
    for choice in choices:
        yield nest
        legal = [a for a in range(len(ACTIONS)) if nest.legal(a)]
        nest = nest.after(legal[choice % len(legal)])
    yield nest


def rows(nest):
    loops, state = np.zeros((MAX_LOOPS, 4), np.int64), np.zeros(4, np.int64)
    kernel.write(nest, loops, state)
    return loops, state


walks = given(st.sampled_from(NAMES), st.lists(st.integers(0, 16), max_size=60))


def test_a_tiled_product_reads_as_it_should():
    nest = play(
        "matmul-64x128x256",
        "split 8, down, swap down, swap down, unroll, up, up, split 32, down, vectorise, "
        "accumulate, up, up, parallel",
    )
    assert str(nest).splitlines() == [
        "> for i in 8 by 8 parallel",
        "    for j in 4 by 32",
        "      accumulate",
        "      for k in 256",
        "        for i in 8 unrolled",
        "          for j in 32 vectorised",
        "            out[i, j] += left[i, k] * right[k, j]",
    ]


@walks
@settings(max_examples=60, deadline=None)
def test_every_nest_visits_each_point_once_and_parts_keep_their_order(name, choices):
    *_, nest = walk(name, choices)
    assert len(nest.loops) <= MAX_LOOPS
    for dim, extent in enumerate(nest.problem.extents):
        parts = [loop for loop in nest.loops if loop.dim == dim]
        steps = [loop.step for loop in parts]
        assert steps == sorted(steps, reverse=True)
        visited = sorted(
            sum(i * loop.step for i, loop in zip(point, parts, strict=True))
            for point in itertools.product(*(range(loop.extent) for loop in parts))
        )
        assert visited == list(range(extent))


@walks
@settings(max_examples=60, deadline=None)
def test_every_nest_keeps_the_rules(name, choices):
    for nest in walk(name, choices):
        kinds = [loop.kind for loop in nest.loops]
        assert kinds.count(Kind.VECTORISED) <= 1
        copies = [loop.extent for loop in nest.loops if loop.kind == Kind.UNROLLED]
        assert np.prod(copies, initial=1) <= LARGEST_BODY
        assert not any(nest.reduces(depth) for depth in range(max(nest.block, 0)))
        for depth, loop in enumerate(nest.loops):
            if loop.kind == Kind.VECTORISED:
                assert depth == len(kinds) - 1
                assert loop.step == 1
            if loop.kind in (Kind.VECTORISED, Kind.PARALLEL):
                assert not nest.reduces(depth)
            if loop.kind == Kind.PARALLEL:
                assert depth == 0


@walks
@settings(max_examples=100, deadline=None)
def test_the_compiled_edits_equal_the_plain_ones(name, choices):
    nests = list(walk(name, choices))
    loops, state = rows(nests[0])
    legal = np.zeros(len(ACTIONS), np.int8)
    reduced = nests[0].problem.reduced
    for nest, choice, after in zip(nests, choices, nests[1:], strict=False):
        kernel.mask(loops, state, reduced, legal)
        assert legal.tolist() == [nest.legal(a) for a in range(len(ACTIONS))]
        action = np.flatnonzero(legal)[choice % legal.sum()]
        changed = kernel.edit(loops, state, action)
        found = kernel.read(nest.problem, loops, state)
        expected = (after.loops, after.cursor, after.block, after.threads)
        assert (found.loops, found.cursor, found.block, found.threads) == expected
        assert changed == ((nest.loops, nest.block) != (after.loops, after.block))


@pytest.mark.parametrize("edit", ["vectorise", "unroll", "parallel", "accumulate"])
def test_kinds_undo_themselves(edit):
    nest = Nest.unscheduled(Problem.parse("matmul-16x16x16"), threads=2)
    once = nest.after(ACTIONS.index(edit))
    assert (once.loops, once.block) != (nest.loops, nest.block)
    moved = len(once.loops) - 1 if edit == "vectorise" else 0
    twice = replace(once, cursor=moved).after(ACTIONS.index(edit))
    assert all(loop.kind == Kind.SERIAL for loop in twice.loops)
    assert twice.block == -1


def test_sums_stay_within_their_accumulators_and_their_thread():
    nest = play("matmul-64x64x64", "down, down, accumulate")
    assert not nest.legal(ACTIONS.index("swap up"))
    sums_outside = play("matmul-64x64x64", "down, down, swap up, swap up")
    assert not sums_outside.legal(ACTIONS.index("parallel"))
    inner = sums_outside.after(ACTIONS.index("down"))
    assert not inner.legal(ACTIONS.index("accumulate"))


def test_illegal_and_unknown_actions_are_refused():
    nest = Nest.unscheduled(Problem.parse("matmul-64x64x64"))
    for action in (0, 14, -1, len(ACTIONS)):
        with pytest.raises(InputError, match="not legal"):
            nest.after(action)
    assert nest.after(STOP) is nest


def test_problems_state_their_strides():
    product = Problem.parse("matmul-2x3x4")
    assert product.strides.tolist() == [[3, 1, 0], [4, 0, 1], [0, 1, 3]]
    assert (product.flops, product.bytes) == (48, 4 * (6 + 8 + 12))
    layer = Problem.parse("conv-2x3x4-5-3x3")
    assert layer.shapes == ((2, 3, 5), (4, 5, 4), (3, 3, 4, 5))
    out, image, weights = (np.empty(shape, np.float32) for shape in layer.shapes)
    assert out.strides == tuple(4 * layer.strides[0, [0, 1, 2]])
    assert image.strides == tuple(4 * layer.strides[1, [0, 1, 5]])
    assert image.strides[:2] == tuple(4 * layer.strides[1, [3, 4]])
    assert weights.strides == tuple(4 * layer.strides[2, [3, 4, 5, 2]])


@pytest.mark.parametrize(
    "name", ["gemm-2x2x2", "matmul-2x2", "conv-2x2x2-2-3x3x3", "", "matmul-0x1x1"]
)
def test_unknown_problems_are_refused(name):
    with pytest.raises(InputError, match=r"allowed: matmul-|extents are 1 to 1024"):
        Problem.parse(name)


def test_splits_share_no_size_and_no_layer():
    assert not set(MATMUL_SIZES["train"]) & set(MATMUL_SIZES["test"])
    assert not set(CONVOLUTIONS["train"]) & set(CONVOLUTIONS["test"])
    for names in CONVOLUTIONS.values():
        assert all(Problem.parse(name).name == name for name in names)
