"""Fixtures of several floors, and the choice of tests that a run leaves out."""

import os
from collections import Counter
from pathlib import Path

import pytest
from selenium import webdriver

from envs.dance.corpus import VARIABLE, cache_folder

ELSEWHERE = {
    "data": "measure on data (`gymworks dance data` gets it, "
    f"{VARIABLE} names its folder, `make test-data` runs them)",
    "peers": "need peers (`make test-peers`)",
}
"""Markers of tests that a run may leave out: what these need, and what runs them."""

LEFT_OUT = pytest.StashKey[Counter[str]]()
CHOSEN = os.environ.get(VARIABLE)
NO_DATA = f"no dance data: run `gymworks dance data`, or set {VARIABLE} to a folder that has it"


def dance_folder():
    """The folder of dance data: the variable's, one beside the checkout, the default, or none."""
    beside = [parent / "shared" / "data" / "dance" for parent in Path(__file__).parents]
    places = [Path(CHOSEN)] if CHOSEN else [*beside, cache_folder()]
    return next((place for place in places if (place / "charts").is_dir()), None)


def pytest_configure(config):
    config.stash[LEFT_OUT] = Counter()
    if config.option.markexpr == "data" and dance_folder() is None:
        raise pytest.UsageError(NO_DATA)


def pytest_deselected(items):
    config = items[0].config
    for name in ELSEWHERE:
        if f"not {name}" in config.option.markexpr:
            marked = sum(item.get_closest_marker(name) is not None for item in items)
            config.stash[LEFT_OUT][name] += marked


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):  # a worker of xdist reports to its run
        session.config.workeroutput["left out"] = dict(session.config.stash[LEFT_OUT])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    # All workers leave out the same tests, so the union of their counts is each one's.
    node.config.stash[LEFT_OUT] |= Counter(getattr(node, "workeroutput", {}).get("left out", {}))


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem):
    pytest.exit(f"a worker was lost in {crashitem}", returncode=1)


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(terminalreporter, config):
    yield
    counts = config.stash[LEFT_OUT].items()
    left_out = [f"{count} that {ELSEWHERE[name]}" for name, count in counts if count]
    if left_out:
        terminalreporter.write_line(f"Tests left out: {', '.join(left_out)}.")


def pytest_runtest_setup(item):
    if "dance_data" in item.fixturenames and not item.get_closest_marker("data"):
        pytest.fail("reads data that the repository does not carry: mark it `data`", pytrace=False)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """A headless Chromium, driven by selenium."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1280,1600",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(flag)
    service = webdriver.ChromeService("/usr/bin/chromedriver")
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


@pytest.fixture(scope="session", autouse=True)
def _carried():
    """The data folder is empty, unless a test asks for :func:`dance_data`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, os.devnull)
        yield


@pytest.fixture(scope="session")
def dance_data():
    """The folder of dance data."""
    return dance_folder() or pytest.fail(NO_DATA, pytrace=False)


@pytest.fixture(scope="session")
def invented_data(tmp_path_factory):
    """A folder of dance data that nobody wrote; see :func:`tests.envs.dance.invented.data`."""
    from tests.envs.dance import invented

    return invented.data(tmp_path_factory.mktemp("dance_data"))
