"""Kneser-Ney against plain counting."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.dance.ngram import KneserNey, histories
from hardware_sim.errors import InputError

rows = st.lists(st.integers(1, 6), min_size=1, max_size=30)


def plain(charts, order, history, row):
    """P(row | history) by dictionaries, as Chen & Goodman write it."""
    grams = Counter()
    for chart in charts:
        padded = [0] * (order - 1) + list(chart)
        grams.update(tuple(padded[i : i + order]) for i in range(len(chart)))
    tables = [grams]
    for _ in range(order - 1):
        grams = Counter(gram[1:] for gram in grams)
        tables.append(grams)

    def p(k, history):
        if not k:
            return 1 / 256
        table = tables[order - k]
        once, twice = (sum(count == n for count in table.values()) for n in (1, 2))
        discount = once / (once + 2 * twice) if once else 0.5
        successors = defaultdict(dict)
        for gram, count in table.items():
            successors[gram[:-1]][gram[-1]] = count
        shorter = p(k - 1, history[1:])
        mine = successors.get(history)
        if not mine:
            return shorter
        total = sum(mine.values())
        return max(mine.get(row, 0) - discount, 0) / total + discount * len(mine) / total * shorter

    return p(order, tuple(history))


@settings(max_examples=40, deadline=None)
@given(charts=st.lists(rows, min_size=1, max_size=4), order=st.integers(1, 5), data=st.data())
def test_probabilities_are_those_of_plain_counting(charts, order, data):
    model = KneserNey(charts, order)
    history = data.draw(st.lists(st.integers(0, 6), min_size=order - 1, max_size=order - 1))
    found = model.probabilities([history])[0]
    assert found.sum() == pytest.approx(1, abs=1e-12)
    for row in (0, 1, 3, 6, 200):
        assert found[row] == pytest.approx(plain(charts, order, history, row), rel=1e-9)


def test_a_chart_is_read_from_its_start():
    assert histories([1, 2, 3], 2).tolist() == [[0, 0], [0, 1], [1, 2]]
    model = KneserNey([[1, 2, 3]], 3)
    expected = [model.probabilities([history])[0] for history in ([0, 0], [0, 1], [1, 2])]
    np.testing.assert_array_equal(model.of_chart([1, 2, 3]), expected)


def test_bad_arguments_are_refused():
    with pytest.raises(InputError, match="1 to 7"):
        KneserNey([[1, 2]], 8)
    with pytest.raises(InputError, match="at least one chart"):
        KneserNey([])
