"""What tests of several layers share."""

import os
from pathlib import Path

import pytest
from selenium import webdriver


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


@pytest.fixture(scope="session")
def dance_data():
    """The folder of dance data: the variable's, or ``shared/data/dance`` beside the checkout."""
    chosen = os.environ.get("GYMWORKS_DANCE_DATA")
    places = [Path(chosen)] if chosen else []
    places += [parent / "shared" / "data" / "dance" for parent in Path(__file__).parents]
    for place in places:
        if place.exists():
            return place
    pytest.fail("no dance data: run `gymworks dance data` and set GYMWORKS_DANCE_DATA")
