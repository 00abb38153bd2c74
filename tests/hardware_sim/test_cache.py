"""The cache simulator against a plain one, and the estimator against the simulator."""

from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware_sim.cache import AffineNest, CacheLevel, estimate, footprints, simulate
from hardware_sim.errors import InputError

SMALL = [CacheLevel("L1", 2_048, 8), CacheLevel("L2", 16_384, 8)]


def plainly(levels, addresses):
    """Misses of a stream, with a dictionary in order of last use for each set."""
    sets = [[OrderedDict() for _ in range(level.sets)] for level in levels]
    misses = [0] * len(levels)
    for address in addresses:
        for number, level in enumerate(levels):
            line = int(address) // level.line_bytes
            held = sets[number][line % level.sets]
            if line in held:
                held.move_to_end(line)
                break
            misses[number] += 1
            held[line] = None
            if len(held) > level.ways:
                held.popitem(last=False)
    return misses


def product(rows, columns, depth, order):
    """C[i, j] += A[i, k] * B[k, j] in floats, row by row in memory."""
    strides = {
        "i": (4 * columns, 4 * depth, 0),
        "j": (4, 0, 4),
        "k": (0, 4, 4 * columns),
    }
    extents = {"i": rows, "j": columns, "k": depth}
    bases = [0, 4 * rows * columns, 4 * rows * (columns + depth)]
    return AffineNest(
        np.array([extents[loop] for loop in order]),
        np.array([strides[loop] for loop in order]).T,
        np.array(bases),
    )


def random_nest(rng):
    """A product or a convolution with loops split and shuffled."""
    if rng.random() < 0.5:
        i, j, k = (int(n) for n in rng.integers(4, 40, 3))
        strides = {"i": (4 * j, 4 * k, 0), "j": (4, 0, 4), "k": (0, 4, 4 * j)}
        loops = [("i", i), ("j", j), ("k", k)]
    else:
        x, y = int(rng.integers(4, 40)), int(rng.integers(2, 20))
        row = 32 * (x + 4)
        strides = {
            "y": (32 * x, row, 0),
            "x": (32, 32, 0),
            "o": (4, 0, 4),
            "c": (0, 4, 32),
            "r": (0, row, 5 * 256),
            "s": (0, 32, 256),
        }
        loops = [("y", y), ("x", x), ("o", 8), ("c", 8), ("r", 3), ("s", 3)]
    parts = []
    for loop, extent in loops:
        factors = [f for f in (2, 4, 8) if extent % f == 0]
        if factors and rng.random() < 0.6:
            factor = int(rng.choice(factors))
            parts += [(loop, extent // factor, factor), (loop, factor, 1)]
        else:
            parts.append((loop, extent, 1))
    parts = [parts[p] for p in rng.permutation(len(parts))]
    return AffineNest(
        np.array([extent for _, extent, _ in parts]),
        np.array([np.array(strides[loop]) * step for loop, _, step in parts]).T,
        np.array([0, 1 << 20, 1 << 21]),
    )


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 4_095), max_size=300),
    st.sampled_from([(1, 64), (2, 64), (4, 32), (3, 16)]),
    st.sampled_from([1, 2, 5]),
)
def test_the_simulator_equals_a_plain_one(addresses, shape, sets):
    ways, line = shape
    levels = [
        CacheLevel("L1", ways * line * sets, ways, line),
        CacheLevel("L2", 4 * 64 * 2 * sets, 4, 64),
    ]
    stream = np.array(addresses, np.int64)
    assert simulate(levels, stream).tolist() == plainly(levels, addresses)


def test_a_nest_equals_a_plain_one_on_shipped_sizes():
    addresses = product(16, 24, 20, "ikj").addresses()
    levels = [CacheLevel("L1", 1_024, 2), CacheLevel("L2", 4_096, 4)]
    assert simulate(levels, addresses).tolist() == plainly(levels, addresses)


def test_least_recently_used_lines_leave_first():
    one_set = [CacheLevel("L1", 128, 2)]
    a, b, c = 0, 64, 128
    assert simulate(one_set, np.array([a, b, a, c, a, b])).tolist() == [4]
    assert simulate(one_set, np.array([a, b, c, a, b, c])).tolist() == [6]


def test_a_stream_misses_once_a_line_and_a_second_pass_only_if_it_does_not_fit():
    level = CacheLevel("L1", 4_096, 4)
    fits, exceeds = np.arange(0, 4_096, 4), np.arange(0, 8_192, 4)
    assert simulate([level], np.tile(fits, 2)).tolist() == [64]
    assert simulate([level], np.tile(exceeds, 2)).tolist() == [256]


def test_addresses_come_in_program_order():
    nest = AffineNest(np.array([2, 3]), np.array([[100, 4], [0, 8]]), np.array([0, 1_000]))
    expected = [a for i in range(2) for j in range(3) for a in (100 * i + 4 * j, 1_000 + 8 * j)]
    assert nest.addresses().tolist() == expected


def test_footprints_of_a_convolution_row_overlap():
    # in[y + r, x + s] with rows of 32 floats (two lines): y = 8, r = 3, x = 30, s = 3.
    nest = AffineNest(np.array([8, 3, 30, 3]), np.array([[128, 128, 4, 4]]), np.array([0]))
    assert footprints(nest).tolist() == [[20.0, 6.0, 2.0, 1.0, 1.0]]


def test_footprints_count_lines_of_a_strided_access():
    nest = AffineNest(np.array([10, 16]), np.array([[4, 256], [64, 4]]), np.array([0, 8_192]))
    assert footprints(nest).tolist() == [[16.0, 16.0, 1.0], [10.0, 1.0, 1.0]]


@pytest.mark.parametrize("order", ["ijk", "ikj", "jik", "jki", "kij", "kji"])
def test_the_estimate_is_exact_where_everything_fits(order):
    nest = product(32, 32, 32, order)
    roomy = [CacheLevel("L1", 1 << 20, 16)]
    assert estimate(roomy, nest).tolist() == [[64.0, 64.0, 64.0]]
    assert simulate(roomy, nest.addresses()).tolist() == [192]


def test_the_estimate_of_a_product_by_hand():
    # A column of B (32 lines) does not fit in 8 lines, so with k innermost every use misses.
    tiny = [CacheLevel("L1", 512, 8)]
    c, a, b = estimate(tiny, product(32, 32, 32, "jik"))[0]
    assert b == 32 * 32 * 32
    assert (c, a) == (32 * 32, 2 * 32 * 32)


@pytest.mark.parametrize("order", ["ikj", "jki", "kij", "jik"])
@settings(max_examples=15, deadline=None)
@given(st.tuples(*[st.integers(2, 5).map(lambda n: 8 * n)] * 3))
def test_the_estimate_of_a_product_is_close_to_the_simulation(order, sizes):
    nest = product(*sizes, order)
    simulated = simulate(SMALL[:1], nest.addresses())[0]
    assert 0.5 < estimate(SMALL[:1], nest).sum() / simulated < 2.5


def test_the_estimate_agrees_with_the_simulation_on_random_nests():
    rng = np.random.default_rng(0)
    nests = [random_nest(rng) for _ in range(120)]
    estimated = np.array([estimate(SMALL, nest).sum(axis=1) for nest in nests])
    simulated = np.array([simulate(SMALL, nest.addresses()) for nest in nests])
    for level in range(2):
        off = np.abs(np.log2(estimated[:, level] / simulated[:, level]))
        assert np.mean(off < 1) > 0.85
        assert np.median(off) < 0.3
        ranks = [counts[:, level].argsort().argsort() for counts in (estimated, simulated)]
        assert np.corrcoef(ranks)[0, 1] > 0.9


def test_power_of_two_strides_crowd_few_sets():
    # 16 lines, 4096 bytes apart, share one set of 8 ways though the cache holds 512 lines.
    level = [CacheLevel("L1", 32_768, 8)]
    crowded = AffineNest(np.array([10, 16]), np.array([[0, 4_096]]), np.array([0]))
    spread = AffineNest(np.array([10, 16]), np.array([[0, 4_160]]), np.array([0]))
    assert simulate(level, crowded.addresses()).tolist() == [160]
    assert estimate(level, crowded).sum() == 160
    assert estimate(level, spread).sum() == simulate(level, spread.addresses())[0] == 16


@pytest.mark.parametrize("figures", [(0, 1, 64), (100, 1, 64), (64, 2, 64), (64, 0, 64)])
def test_impossible_caches_are_refused(figures):
    with pytest.raises(InputError, match="whole number of sets"):
        CacheLevel("L1", *figures)


def test_impossible_nests_are_refused():
    with pytest.raises(InputError, match="an access a row"):
        AffineNest(np.array([2]), np.array([[1, 2]]), np.array([0]))
    with pytest.raises(InputError, match="at least"):
        AffineNest(np.array([0]), np.array([[1]]), np.array([0]))
