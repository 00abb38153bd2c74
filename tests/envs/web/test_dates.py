"""Dates in the forms that people write."""

from datetime import date

import pytest

from envs.web.dates import read_date


@pytest.mark.parametrize("text", ["3/2/2017", "03/02/2017", "2017-03-02", "March 2, 2017"])
def test_dates_are_read_in_every_form(text):
    assert read_date(text) == date(2017, 3, 2)


@pytest.mark.parametrize("text", ["", "13/45/2017", "soon"])
def test_what_is_no_date_is_none(text):
    assert read_date(text) is None
