"""The twin shows and sends what Chromium shows and sends, step by step."""

import numpy as np
import pytest

from envs.web.actions import decode, perform
from envs.web.application import Recorder
from envs.web.browser import release_browsers
from envs.web.client import BrowserClient
from envs.web.env import FIRST_MOMENT_MS, STEP_MS, load_task
from envs.web.observation import Encoder, space
from envs.web.sites.declaration import SITES
from envs.web.tasks.catalogue import TASKS
from envs.web.twin import TwinClient

NAMES = [f"envs.web.tasks.catalogue:make:{name}" for name in TASKS] + [
    f"envs.web.sites.task:FlightTask:{name}" for name in SITES
]
EPISODES, STEPS = 6, 10
SAMPLE = NAMES[::4]
"""Tasks that the other browsers play too, which take longer to load a page."""


def arrays(size):
    return {key: np.zeros(part.shape, part.dtype) for key, part in space(size, False).items()}


def compare(browser, twin, logs):
    """Fails at the first difference between two snapshots or request logs."""
    assert browser.path == twin.path
    assert browser.title == twin.title
    assert len(browser.rows) == len(twin.rows)
    for ref, (seen, expected) in enumerate(zip(browser.rows, twin.rows, strict=True)):
        assert seen == expected, ref
    assert browser.focus == twin.focus
    assert browser.held == twin.held
    assert logs[0] == logs[1]


def play(name, seed, backend="shell"):
    """A random episode, in a browser and the twin at once; the number of steps."""
    task = load_task(name)
    instances = [task.instance(np.random.default_rng(seed), {}) for _ in range(2)]
    recorders = [Recorder(instance.application) for instance in instances]
    browser = BrowserClient(recorders[0], task.size, FIRST_MOMENT_MS, 0, STEP_MS, backend)
    twin = TwinClient(recorders[1])
    encoder = Encoder(arrays(task.size), task.size)
    encoder.begin(instances[0].instruction, instances[0].fields)
    random, history = np.random.default_rng(seed), []
    try:
        shown = [client.open(instances[0].start) for client in (browser, twin)]
        for step in range(STEPS):
            compare(*shown, [recorder.log for recorder in recorders])
            encoder.update(shown[1])
            if instances[1].judge(recorders[1].log) is not None:
                return step
            action = decode(int(random.choice(np.flatnonzero(encoder.mask))))
            history.append(action)
            shown = [perform(client, action, encoder.texts) for client in (browser, twin)]
    except AssertionError as difference:
        raise AssertionError(f"{name}, seed {seed}, after {history}: {difference}") from difference
    finally:
        browser.close()
    return STEPS


@pytest.fixture(scope="module", autouse=True)
def browser_process():
    yield
    release_browsers()


@pytest.mark.parametrize("name", NAMES)
def test_random_episodes_go_the_same_way(name):
    assert sum(play(name, seed) for seed in range(EPISODES)) > 0


@pytest.mark.parametrize("name", SAMPLE)
def test_ordinary_chromium_goes_the_same_way(name):
    assert sum(play(name, seed, "chromium") for seed in range(2)) > 0


@pytest.mark.parametrize("name", SAMPLE[::3])
def test_selenium_goes_the_same_way(name):
    assert play(name, 1, "selenium") > 0
