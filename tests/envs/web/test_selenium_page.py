"""The WebDriver backend: what it shares with our own driver, and how it fails."""

import os
import sys

import pytest

from envs.web import selenium_page
from envs.web.client import open_page
from envs.web.devtools import BrowserDiedError, CommandError
from envs.web.inputs import KeyDown, KeyUp, PointerDown, PointerMove, PointerUp, Text
from envs.web.selenium_page import VARIABLE, SeleniumPage
from hardware_sim.errors import InputError

NOWHERE = "http://127.0.0.1:1"
START_MS = 1_488_326_400_000
PAGE = "data:text/html,<!doctype html><input style='position:fixed;left:0;top:0'>"
WATCH = "(window.seen = [], addEventListener('%s', e => { seen.push([e.isTrusted, e.%s]) }), 1)"


@pytest.fixture(scope="module")
def page():
    page = open_page("selenium", (160, 210), START_MS, 5, NOWHERE)
    yield page
    page.close()
    page.close()
    assert not os.path.exists(page._family.folder)


def test_a_page_has_the_size_the_clock_and_the_seed_it_was_given(page):
    page.goto(PAGE)
    assert page.step([], 0, "[innerWidth, innerHeight]") == [160, 210]
    assert page.pixels().shape == (210, 160, 3)
    now, same, text, zone = page.step(
        [], 0, "[Date.now(), new Date(5).getTime(), Date(), new Date().getTimezoneOffset()]"
    )
    assert START_MS <= now < START_MS + 600_000
    assert same == 5
    assert "2017" in text
    assert zone == 0
    drawn = page.step([], 0, "[Math.random(), Math.random()]")
    page.goto(PAGE + "again")
    assert page.step([], 0, "[Math.random(), Math.random()]") == drawn


def test_input_is_trusted_and_in_order(page):
    page.goto(PAGE)
    page.step([], 0, WATCH % ("mousedown", "clientX"))
    place = (20, 10)
    assert page.step([PointerMove(*place), PointerDown(*place), PointerUp(*place)], 0, "seen") == [
        [True, 20]
    ]
    page.step([], 0, WATCH % ("keydown", "key"))
    keys = [Text("aB"), KeyDown("ArrowLeft"), KeyUp("ArrowLeft"), Text("c")]
    seen, value = page.step(keys, 0, "[seen, document.querySelector('input').value]")
    assert [key for trusted, key in seen if trusted and key != "Shift"] == [
        *("a", "B", "ArrowLeft", "c")
    ]
    assert value == "acB"


def test_a_failing_script_is_no_dead_browser(page):
    with pytest.raises(CommandError, match="nothing is not defined"):
        page.step([], 0, "nothing")
    assert page.step([], 0, "Promise.resolve(3)") == 3


def test_bad_choices_and_missing_parts_are_named(monkeypatch, tmp_path):
    with pytest.raises(InputError, match="chrome, edge, firefox"):
        SeleniumPage((160, 210), START_MS, "", NOWHERE, "netscape")
    monkeypatch.setenv(VARIABLE, "mosaic")
    with pytest.raises(InputError, match="mosaic"):
        SeleniumPage((160, 210), START_MS, "", NOWHERE)
    monkeypatch.delenv(VARIABLE)
    broken = tmp_path / "chromedriver"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(selenium_page.shutil, "which", lambda name: str(broken))
        patch.setattr(selenium_page, "find_chromium", lambda backend: (backend, "chromium"))
        with pytest.raises(InputError, match="apt-get install chromium chromium-driver"):
            SeleniumPage((160, 210), START_MS, "", NOWHERE)
    monkeypatch.setitem(sys.modules, "selenium", None)
    with pytest.raises(InputError, match=r"pip install 'gymworks\[web\]'"):
        SeleniumPage((160, 210), START_MS, "", NOWHERE)


def test_a_closed_page_is_dead(page):
    other = open_page("selenium", (160, 210), START_MS, 5, NOWHERE)
    other.close()
    with pytest.raises(BrowserDiedError):
        other.step([], 0, "1")
    assert page.step([], 0, "1 + 1") == 2
