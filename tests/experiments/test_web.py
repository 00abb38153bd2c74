"""A person in a browser of their own records episodes, and replays go the same way.

The person is selenium with a second Chromium: it does with mouse and keyboard what the scripted
expert would do.
"""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from typer.testing import CliRunner

from agents.baselines.web import Expert
from envs.web.actions import decode
from envs.web.demonstration_file import read_demonstrations
from envs.web.demonstration_frames import read_frame
from experiments.web import app

COUNT = """
const seen = (event) => {
  if (window.gymworks && !window.gymworks.snapshot().leaving) {
    sessionStorage.seen = (sessionStorage.seen ?? "") + event.type + " ";
  }
};
for (const kind of ["mousemove", "mousedown", "mouseup", "keydown", "keyup"]) {
  addEventListener(kind, seen, true);
}
"""


@contextmanager
def recording(folder, *arguments):
    """``gymworks web record`` as a process; gives its address and the process."""
    code = "from experiments.cli import main; main()"
    command = [sys.executable, "-u", "-c", code, "web", "record", *arguments, "-o", str(folder)]
    environment = {k: v for k, v in os.environ.items() if "DISPLAY" not in k}
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, cwd=root
    )
    try:
        line = process.stdout.readline()
        yield re.fullmatch(r"Open (http://127.0.0.1:\d+/\S+/~) in a browser.\n", line)[1], process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(20)
        process.stdout.close()


class Person:
    """Does what the expert would do, with the mouse and the keyboard of a browser."""

    def __init__(self, driver, env_id, seed):
        self.driver = driver
        self.env = gym.make(f"envs:{env_id}", backend="twin").unwrapped
        _, self.info = self.env.reset(seed=seed)
        self.expert = Expert(self.env)

    def hands(self):
        return ActionChains(self.driver, duration=20)

    def play(self, steps=None):
        """Plays to the end, or some steps."""
        self.driver.switch_to.frame(self.driver.find_element(By.ID, "site"))
        ended = False
        while not ended and steps != 0:
            number = self.expert.act(None, {})
            self.act(decode(int(number)))
            *_, terminated, truncated, _ = self.env.step(number)
            ended = terminated or truncated
            steps = None if steps is None else steps - 1

    def act(self, action):
        if action.verb == "press":
            return self.hands().send_keys(KEYS[action.key]).perform()
        element = self.driver.find_element(By.CSS_SELECTOR, f'[data-ref="{action.ref}"]')
        there = self.hands().move_to_element(element)
        if action.verb == "grab":
            return there.click_and_hold().perform()
        if action.verb == "drop":
            return there.release().perform()
        there.click()
        if action.verb == "type":
            self._type(there, element, self.env.session.encoder.texts[action.field])
        return there.perform()

    def _type(self, there, element, text):
        row = self.env.snapshot.rows[int(element.get_attribute("data-ref"))]
        if row.tag == "select":
            steps = row.options.index(text) - row.options.index(row.value)
            there.send_keys((Keys.ARROW_DOWN if steps > 0 else Keys.ARROW_UP) * abs(steps))
        else:
            there.key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).send_keys(text)


KEYS = {
    "Enter": Keys.ENTER,
    "Tab": Keys.TAB,
    "Escape": Keys.ESCAPE,
    "ArrowUp": Keys.ARROW_UP,
    "ArrowDown": Keys.ARROW_DOWN,
}


@pytest.fixture
def person(chromium):
    """Makes people; the browser counts the events that its pages see."""
    script = chromium.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": COUNT})
    yield lambda env_id, seed: Person(chromium, env_id, seed)
    chromium.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    chromium.get("about:blank")


def invoke(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def one(path):
    (demonstration,) = read_demonstrations(path)
    return demonstration


def counted(driver):
    """How many events of each kind the pages of the last episode saw."""
    seen = driver.execute_script("const s = sessionStorage.seen; sessionStorage.clear(); return s")
    return Counter(seen.split())


@pytest.mark.browser
def test_a_booking_is_recorded_and_replayed_without_drift(person, chromium, tmp_path):
    with recording(tmp_path, "WoB-United-v0", "--seed", "3", "--by", "selenium") as (address, run):
        chromium.get(address)
        human = person("WoB-United-v0", 3)
        assert chromium.find_element(By.ID, "instruction").text == human.info["instruction"]
        human.play()
        assert re.fullmatch(
            rf"score 1, \d+ steps in {tmp_path}/WoB-United-v0-3.jsonl\n", run.stdout.readline()
        )
        assert run.wait(20) == 0
    file = tmp_path / "WoB-United-v0-3.jsonl"
    kept = one(file)
    told = Counter(step.type for step in kept.steps)
    assert told.pop("load") == len({step.state.path for step in kept.steps}) > 2
    assert told == counted(chromium)  # none is lost, over all pages
    assert (kept.score, kept.success, kept.source, kept.by) == (1, True, "human", "selenium")
    assert all(step.trusted for step in kept.steps)
    assert dict(kept.sent).items() >= dict(human.env.instance.answer).items()

    film = tmp_path / "film.gif"
    done = invoke("replay", file, "--frames", "-o", film)
    assert done.exit_code == 0, done.output
    assert "no drift" in done.output
    assert "score 1, as recorded" in done.output
    assert read_frame(file, 0, 0).shape == (667, 375, 3)
    assert not np.array_equal(read_frame(file, 0, 0), read_frame(file, 0, len(kept.steps) - 1))
    with Image.open(film) as gif:
        assert 1 < gif.n_frames <= 300
