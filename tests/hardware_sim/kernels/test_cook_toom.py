"""The matrices of minimal filtering are exact for any size, and so is the code made of them."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware_sim.errors import InputError
from hardware_sim.kernels.cook_toom import filtering, points


@given(m=st.integers(1, 7), r=st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_filtering_is_an_identity(m, r):
    """sum_j A[i, j] G[j, k] B[j, l] is 1 where l = i + k, else 0: the definition of correlation."""
    f = filtering(m, r)
    n = m + r - 1
    assert (len(f.inverse), len(f.kernel), len(f.data)) == (m, n, n)
    for i in range(m):
        for k in range(r):
            for x in range(n):
                total = sum(f.inverse[i][j] * f.kernel[j][k] * f.data[j][x] for j in range(n))
                assert total == Fraction(int(x == i + k))


def test_f_2_3_is_lavins_up_to_signs():
    f = filtering(2, 3)
    assert [[abs(x) for x in row] for row in f.data] == [
        [1, 0, 1, 0],
        [0, 1, 1, 0],
        [0, 1, 1, 0],
        [0, 1, 0, 1],
    ]
    assert [abs(x) for x in f.kernel[1]] == [Fraction(1, 2)] * 3


@given(st.integers(0, 40))
def test_points_differ(count):
    assert len(set(points(count))) == len(points(count)) == count


@pytest.mark.parametrize(("m", "r"), [(0, 3), (2, 0), (-1, 3)])
def test_sizes_that_do_not_exist(m, r):
    with pytest.raises(InputError, match="does not exist"):
        filtering(m, r)
