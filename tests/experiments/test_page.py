"""The page that reports are written to, its tables and figures."""

import base64
import re

import pytest
from matplotlib.figure import Figure

from experiments.figures import spread
from experiments.page import Picture, Section, Table, decimals, render
from experiments.svg import themed_svg


def test_a_page_is_one_file_that_asks_for_nothing(tmp_path):
    figure = Figure()
    figure.subplots().plot([0, 1])
    table = Table(["name", "value"], [["<b>", "1"]], "a caption", frozenset({0}))
    pictures = (Picture(figure, "a line"), Picture(b"png", "a photograph"))
    section = Section("Part", "One.\n\nTwo.", table, pictures)
    page = render("Title & more", [section], tmp_path / "page.html").read_text()
    assert "Title &amp; more" in page
    assert "&lt;b&gt;" in page
    assert page.count("<p>") == 2
    image = re.compile(r'<img class="(\w+)" alt="([\w ]+)" src="data:image/([\w+]+);base64,')
    assert image.findall(page) == [("drawn", "a line", "svg+xml"), ("photo", "a photograph", "png")]
    data = re.search(r"data:image/svg\+xml;base64,([\w+/=]+)", page)[1]
    drawing = base64.b64decode(data).decode()
    for text in (page, drawing):
        assert not re.search(r"(?:src|href)\s*=\s*[\"'](?!data:|#)", text)
        assert not re.search(r"url\((?!#)|@import", text)


def test_numbers_stand_right_and_words_left():
    rows = [
        ["a", "1,000", "0.1 to -0.2", "50%", "2026-11-23", ""],
        ["b", "", "", "−3", "x", "1e-05"],
    ]
    table = Table(["agent", "steps", "interval", "success", "made", "rate"], rows)
    assert table.alignment == ["text", "number", "number", "number", "text", "number"]


def test_decimals_give_the_smallest_value_four_digits():
    assert decimals([0.0372, 0.5]) == 5
    assert decimals([499.9, 1000.0]) == 1
    assert decimals([123456.0]) == 0
    assert decimals([0.0]) == decimals([]) == 0


def test_figures_follow_the_page_from_light_to_dark():
    figure = Figure()
    axes = figure.subplots()
    axes.plot([0, 1], color="#0072B2", label="a line")
    axes.legend()
    drawing = themed_svg(figure)
    light, dark = re.findall(r":root\{([^}]*)\}", drawing)
    assert "--cffffff:#ffffff" in light
    assert "--cffffff:#15191e" in dark
    assert "--c000000:#e6e9ed" in dark
    assert "--c0072b2:#0072b2" in light
    assert "--c0072b2:#3a90c1" in dark
    assert not re.search(r"(fill|stroke): #", drawing)
    assert ">a line</text>" in drawing
    assert drawing == themed_svg(figure)


def test_labels_are_spread_as_little_as_it_takes():
    assert spread([0.1, 0.9, 0.5], 0.05) == pytest.approx([0.1, 0.9, 0.5])
    assert spread([0.58, 0.5, 0.54], 0.05) == pytest.approx([0.59, 0.49, 0.54])
    assert spread([0.5, 0.5], 0.1) == pytest.approx([0.45, 0.55])
    assert spread([], 0.1) == []
