"""A person in a browser of their own records episodes, and replays go the same way.

The person is selenium with a second Chromium.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.ui import WebDriverWait
from typer.testing import CliRunner

from envs.web.actions import encode
from envs.web.demonstration import Step
from envs.web.demonstration_file import read_demonstrations, write_demonstrations
from envs.web.demonstration_frames import read_frame
from envs.web.factoring import to_actions
from experiments.web.verbs import app
from hardware_sim.errors import InputError
from tests.experiments.web.person import Person

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


@pytest.fixture
def person(chromium):
    """Makes people; the browser counts the events that its pages see."""
    script = chromium.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": COUNT})
    yield lambda env_id, seed: Person(chromium, env_id, seed)
    chromium.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
    chromium.get("about:blank")
    # The pages' policy refuses even their own empty icon, and the desk asks for news until it finds
    # that the recorder has ended, before or while it asks; nothing else is amiss.
    expected = (
        "image 'data:,'",
        "net::ERR_CONNECTION_REFUSED",
        "~state - Failed to load resource: net::ERR_CONNECTION_RESET",
        "~state - Failed to load resource: net::ERR_EMPTY_RESPONSE",
        "Failed to fetch",
    )
    messages = [line["message"] for line in chromium.get_log("browser")]
    assert [line for line in messages if not any(each in line for each in expected)] == []


def invoke(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def one(path):
    (demonstration,) = read_demonstrations(path)
    return demonstration


def counted(driver):
    """Number of events of each kind that the pages of the last episode saw."""
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
    recorded = Counter(step.type for step in kept.steps)
    assert recorded.pop("load") == len({step.state.path for step in kept.steps}) > 2
    assert recorded == counted(chromium)  # none is lost, over all pages
    assert (kept.score, kept.success, kept.source, kept.by) == (1, True, "human", "selenium")
    assert all(step.trusted for step in kept.steps)
    assert dict(kept.sent).items() >= dict(human.env.instance.answer).items()

    decisions, unmapped = to_actions(kept)
    assert unmapped == []
    assert played("WoB-United-v0", 3, decisions) == 1

    done = invoke("replay", file)
    assert done.exit_code == 0, done.output
    assert "no drift" in done.output
    assert "score 1, as recorded" in done.output


def played(env_id, seed, decisions):
    """The score that factored actions reach in the twin."""
    env = gym.make(f"envs:{env_id}", backend="twin")
    env.reset(seed=seed)
    for decision in decisions:
        *_, info = env.step(encode(decision.action))
    env.close()
    return info["score"]


@pytest.mark.browser
def test_episodes_in_a_row_and_one_that_is_broken_off(person, chromium, tmp_path):
    ids = ("WoB-DragSort-v0", "--episodes", "3", "--seed", "5", "--options", '{"split": "train"}')
    with recording(tmp_path, *ids) as (address, run):
        chromium.get(address)
        person("WoB-DragSort-v0", 5).play(steps=1)  # begun, and begun again by reloading
        chromium.get(address)
        person("WoB-DragSort-v0", 5).play()
        assert run.stdout.readline().startswith("score 1, ")
        chromium.switch_to.default_content()
        button = chromium.find_element(By.ID, "next")
        WebDriverWait(chromium, 10).until(lambda _: button.is_displayed())
        assert chromium.find_element(By.ID, "outcome").text == "Recorded. Score 1.00."
        button.click()
        WebDriverWait(chromium, 10).until(staleness_of(button))
        person("WoB-DragSort-v0", 6).play(steps=2)
        run.send_signal(signal.SIGINT)
        assert run.stdout.readline().startswith("unfinished, ")
        assert run.wait(20) == 0
    assert sorted(os.listdir(tmp_path)) == ["WoB-DragSort-v0-5.jsonl", "WoB-DragSort-v0-6.jsonl"]
    whole, broken = (one(tmp_path / name) for name in sorted(os.listdir(tmp_path)))
    assert sum(step.type == "load" for step in whole.steps) == 2  # not those before reloading
    decisions, unmapped = to_actions(whole)
    assert unmapped == []
    assert {decision.action.verb for decision in decisions} == {"grab", "drop", "click"}
    assert played("WoB-DragSort-v0", 5, decisions) == 1
    assert (broken.score, broken.success, broken.sent) == (None, False, None)
    assert {decision.action.verb for decision in to_actions(broken)[0]} == {"grab", "drop"}

    film = tmp_path / "film.gif"
    done = invoke("replay", tmp_path / "WoB-DragSort-v0-5.jsonl", "--frames", "-o", film)
    assert done.exit_code == 0, done.output
    first, last = (read_frame(tmp_path / "WoB-DragSort-v0-5.jsonl", 0, i) for i in (0, 9999))
    assert first.shape == last.shape == (210, 160, 3)
    assert not np.array_equal(first, last)
    with Image.open(film) as gif:
        assert 1 < gif.n_frames <= 300
    assert (
        "score none, as recorded" in invoke("replay", tmp_path / "WoB-DragSort-v0-6.jsonl").output
    )


@pytest.mark.browser
def test_hands_that_select_paste_and_correct_are_replayed(person, chromium, tmp_path):
    with recording(tmp_path, "WoB-Login-v0", "--seed", "0") as (address, run):
        chromium.get(address)
        human = person("WoB-Login-v0", 0)
        texts = dict(human.env.instance.fields)
        chromium.switch_to.frame(chromium.find_element(By.ID, "site"))
        user, secret = (chromium.find_element(By.NAME, name) for name in ("user", "password"))
        hands = human.hands().click(user).send_keys(texts["password"])
        hands.double_click(user).key_down(Keys.CONTROL).send_keys("x").key_up(Keys.CONTROL)
        hands.click(secret).send_keys("Q!").key_down(Keys.SHIFT)
        hands.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT).key_up(Keys.SHIFT)
        hands.key_down(Keys.CONTROL).send_keys("v").key_up(Keys.CONTROL)
        hands.click(user).send_keys(texts["user"], "\u00e9", Keys.BACKSPACE).perform()
        chromium.find_element(By.CSS_SELECTOR, "[type=submit]").click()
        assert run.stdout.readline().startswith("score 1, ")
    file = tmp_path / "WoB-Login-v0-0.jsonl"
    kept = one(file)
    assert [step.key for step in kept.steps if step.type == "insert"] == [texts["password"]]
    assert {2, 1} <= {step.clicks for step in kept.steps}
    done = invoke("replay", file)
    assert done.exit_code == 0, done.output
    decisions, _ = to_actions(kept)
    assert played("WoB-Login-v0", 0, decisions) == 1


@pytest.mark.browser
def test_a_select_never_opens_a_menu_outside_the_page(person, chromium, tmp_path):
    with recording(tmp_path, "WoB-SelectOption-v0", "--seed", "1") as (address, run):
        chromium.get(address)
        human = person("WoB-SelectOption-v0", 1)
        chromium.switch_to.frame(chromium.find_element(By.ID, "site"))
        select = chromium.find_element(By.TAG_NAME, "select")
        human.hands().click(select).send_keys(" ", Keys.F4).perform()
        human.hands().key_down(Keys.ALT).send_keys(Keys.ARROW_DOWN).key_up(Keys.ALT).perform()
        human.hands().context_click(select).perform()
        chromium.switch_to.default_content()
        human.play()
        assert run.stdout.readline().startswith("score 1, ")
    file = tmp_path / "WoB-SelectOption-v0-1.jsonl"
    done = invoke("replay", file)
    assert done.exit_code == 0, done.output
    assert "button 2 is not the left one" in done.output
    assert played("WoB-SelectOption-v0", 1, to_actions(one(file))[0]) == 1


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """An expert's demonstration, which is replayed act by act."""
    folder = tmp_path_factory.mktemp("shown")
    done = invoke("demonstrate", "WoB-Dialog-v0", "--episodes", 1, "-o", folder, "--quiet")
    assert done.exit_code == 0, done.output
    return folder / "WoB-Dialog-v0.jsonl.xz"


@pytest.mark.browser
def test_drift_is_found_and_described(shown, tmp_path):
    assert invoke("replay", shown).exit_code == 0  # the browser goes the way of the twin
    assert invoke("replay", shown, "--quiet").output == ""
    kept = one(shown)
    state = kept.steps[1].state
    rows = [row and row._replace(text=row.text + "?") for row in state.rows]
    steps = list(kept.steps)
    steps[1] = replace(steps[1], state=state._replace(rows=rows, title="Other"))
    path = write_demonstrations(
        tmp_path / "a.jsonl", [replace(kept, steps=tuple(steps), score=0.5)]
    )
    done = invoke("replay", path)
    assert done.exit_code == 1
    assert "drift at step 1" in done.output
    assert "title: 'Other', now 'Dialog'" in done.output
    assert re.search(r"row \d+: text '.*\?', now '.*'", done.output)
    assert "score 1, recorded: 0.5" in done.output
    assert invoke("replay", path, "--allow-drift", "--quiet").output == done.output
    scripted = invoke("replay", path, "--quiet", "--json")
    assert scripted.exit_code == 1
    found = json.loads(scripted.output)
    assert (found["file"], found["agree"]) == (str(path), False)
    (replayed,) = found["demonstrations"]
    assert (replayed["drift_step"], replayed["agrees"], replayed["left_out"]) == (1, False, [])
    assert (replayed["score"], replayed["recorded_score"]) == (1, 0.5)


def test_what_cannot_be_sent_is_named(shown, tmp_path):
    kept = one(shown)
    first = kept.steps[0].state
    steps = tuple(
        Step(0, kind, first, **details)
        for kind, details in (
            ("mousedown", {"button": 2}),
            ("keydown", {"key": "F5"}),
            ("keydown", {"key": "a", "trusted": False}),
            ("click", {}),
        )
    )
    path = write_demonstrations(tmp_path / "a.jsonl", [replace(kept, steps=steps, score=None)])
    output = invoke("replay", path, "--allow-drift").output
    for index, why in enumerate(
        ("button 2 is not the left one", "the key 'F5' is none", "a script made", "click follows")
    ):
        assert f"step {index} was left out: {why}" in output


def test_bad_input_is_refused(shown, tmp_path):
    kept = one(shown)
    gone, far, other, foreign = (
        write_demonstrations(tmp_path / f"{name}.jsonl", [replace(kept, **change)])
        for name, change in (
            ("gone", {"env_id": "WoB-Gone-v0"}),
            ("far", {"env_id": "DevicePlacement-BERT24-v0"}),
            ("other", {"instruction": "Something else."}),
            ("foreign", {"seed": None, "env_id": "miniwob/x"}),
        )
    )
    file = tmp_path / "file"
    file.write_text("")
    (tmp_path / "WoB-Login-v0-1.jsonl").write_text("mine")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for arguments, message in (
            (["replay", tmp_path / "none.jsonl"], "No such file"),
            (["replay", gone], "unknown environment 'WoB-Gone-v0'"),
            (["replay", far], "has no pages of ours"),
            (["replay", other], "has changed: seed 0 now gives"),
            (["replay", foreign], "pages that are not ours"),
            (["replay", shown, "-o", tmp_path / "film.avi"], "allowed: .gif, .html, .mp4"),
            (["record", "WoB-Logn-v0"], "did you mean 'WoB-Login-v0'"),
            (["record", "DevicePlacement-BERT24-v0", "-o", tmp_path], "has no pages of ours"),
            (["record", "WoB-Login-v0", "-o", file], "cannot be written: "),
            (["record", "WoB-Login-v0", "-o", tmp_path, "--episodes", 2], "exists"),
            (["record", "WoB-Login-v0", "-o", tmp_path, "--options", "{"], "are no JSON"),
            (["record", "WoB-Login-v0", "-o", tmp_path, "--options", '{"split": 1}'], "split"),
            (["record", "WoB-Login-v0", "-o", tmp_path, "--episodes", 0], "0 episodes"),
            (
                ["record", "WoB-Login-v0", "-o", tmp_path, "--port", taken.getsockname()[1]],
                "cannot be had",
            ),
        ):
            done = invoke(*arguments)
            assert isinstance(done.exception, InputError), (arguments, done.output, done.exception)
            assert message in str(done.exception)


def test_a_window_of_its_own_needs_a_display(tmp_path, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    done = invoke("record", "WoB-Login-v0", "--browser", "-o", tmp_path)
    assert "needs a display" in str(done.exception)
