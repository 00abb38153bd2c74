"""The watch verb: films that other programs can read, of any length, and what it refuses."""

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import typer
from PIL import Image
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from typer.testing import CliRunner

from experiments import watch as verb
from experiments.evaluate import evaluate
from experiments.seeds import Seeds
from experiments.watch import MOST_FRAMES, film, write_gif, write_mp4
from hardware_sim.errors import InputError

BERT = "DevicePlacement-BERT24-v0"

app = typer.Typer()
app.command()(verb.command)


class Stripe(gym.Env[int, int]):
    """An episode of as many steps as given; the grey of a frame is the number of its step."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 25}
    observation_space = gym.spaces.Discrete(2)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, steps: int = 700, render_mode: str | None = None) -> None:
        self.steps, self.render_mode, self.renders = steps, render_mode, 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.step_number = 0
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.step_number += 1
        return 0, 1.0, self.step_number == self.steps, False, {}

    def render(self) -> Any:
        return np.full((9, 11, 3), self.step_number % 256, np.uint8)


class Blind(Stripe):
    metadata = {"render_modes": ["human"]}


@pytest.fixture(autouse=True)
def _toys() -> Any:
    gym.register("Stripe-v0", Stripe)
    gym.register("Blind-v0", Blind)
    yield
    del gym.registry["Stripe-v0"], gym.registry["Blind-v0"]


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_a_gif_of_an_episode(tmp_path: Path) -> None:
    path = tmp_path / "films" / "episode.gif"
    done = invoke(BERT, "--agent", "heft", "-o", str(path), "--every", "8", "--fps", "5")
    assert done.exit_code == 0, done.output
    score = evaluate(BERT, "heft", Seeds((0,)))["episodes"][0]["score"]
    assert f"score {score:.6g}; 5 frames in {path}" in done.output.replace("\n", "")
    with Image.open(path) as gif:
        assert gif.n_frames == 5  # steps 0, 8, 16, 24 and 32
        assert gif.info["duration"] == 200
        assert gif.info["loop"] == 0
        first = np.asarray(gif.convert("RGB"))
        gif.seek(4)
        assert gif.info["duration"] == 2000
        last = np.asarray(gif.convert("RGB"))
    shot, _, _ = film(BERT, "heft", every=8)
    assert first.shape == shot.frames[0].shape
    assert (first != last).any()
    assert np.abs(last.astype(int) - shot.frames[-1]).mean() < 2  # 256 colours suffice


def test_a_page_of_an_episode(tmp_path: Path) -> None:
    path = tmp_path / "episode.html"
    done = invoke(BERT, "--agent", "random", "-o", str(path), "--every", "16", "--seed", "4")
    assert done.exit_code == 0, done.output
    page = path.read_text()
    pictures = json.loads(re.search(r"const pictures = (\[.*\]);", page).group(1))  # type: ignore[union-attr]
    shot, episode, _ = film(BERT, "random", seed=4, every=16)
    assert "const steps = [0, 16, 32];" in page
    assert len(pictures) == len(shot.frames) == 3
    for uri, frame in zip(pictures, shot.frames, strict=True):
        kind, _, data = uri.partition(",")
        assert kind == "data:image/webp;base64"
        assert (np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) == frame).all()
    assert f"score {episode['score']:.6g}" in page
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", page)


def test_names_are_text_in_the_page(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    frames = [np.zeros((2, 2, 3), np.uint8)]
    verb.write_player(path, frames, [0], 10.0, "</title><script>alert(1)</script>", "a & b")
    assert "<script>alert" not in path.read_text()
    assert "a &amp; b" in path.read_text()


@pytest.mark.browser
def test_the_page_plays_in_a_browser(tmp_path: Path, chromium: Any) -> None:
    path = tmp_path / "episode.html"
    frames = [np.full((4 + i, 8, 3), 60 * i, np.uint8) for i in range(4)]
    verb.write_player(path, frames, [0, 5, 10, 12], 50.0, "title", "caption")
    chromium.get(path.as_uri())
    button, place, step, picture = (
        chromium.find_element("id", name) for name in ("play", "place", "step", "picture")
    )
    wait = WebDriverWait(chromium, 20)
    wait.until(lambda _: (button.text, step.text) == ("Play", "step 12"))  # played to its end
    wait.until(lambda _: picture.get_property("naturalHeight") == 7)
    place.send_keys(Keys.ARROW_LEFT)
    assert step.text == "step 10"
    wait.until(lambda _: picture.get_property("naturalHeight") == 6)
    button.click()
    wait.until(lambda _: (button.text, step.text) == ("Play", "step 12"))
    assert chromium.get_log("browser") == []


def test_films_are_the_episode_that_evaluate_plays() -> None:
    _, episode, fps = film(BERT, "random", seed=11, every=32)
    assert episode == evaluate(BERT, "random", Seeds((11,)))["episodes"][0]
    assert fps == gym.make(f"envs:{BERT}").metadata["render_fps"]


def test_a_film_of_a_problem_under_other_arguments(tmp_path: Path) -> None:
    given = {"price": 0.4, "budget": 0.5}
    options = ("--option", "price=0.4", "--option", "budget=0.5", "--env", "backend=replay")
    path = tmp_path / "film.gif"
    done = invoke("CompactFeature-v0", "--agent", "random", "-o", str(path), *options, "--every=99")
    assert done.exit_code == 0, done.output
    seeds = Seeds((0,), options=given)
    (expected,) = evaluate("CompactFeature-v0", "random", seeds, in_process=True)["episodes"]
    assert f"score {expected['score']:.6g}; 2 frames" in done.output
    text = ("--env", "price=0.5", "--option", "start=9")
    countdown = "tests.envs.countdown:Countdown-v0"
    _, episode, _ = film(countdown, "random", 0, None, {"price": 0.5}, {"start": 12})
    assert episode["return"] == -0.5 * episode["length"] == -2.0
    done = invoke(countdown, "--agent", "random", "-o", str(tmp_path / "other.gif"), *text)
    assert "return -2" in done.output


def test_environments_that_cannot_be_drawn_here_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def render(self: Stripe) -> Any:
        raise gym.error.DependencyNotInstalled("a library is not installed")

    monkeypatch.setattr(Stripe, "render", render)
    done = invoke("Stripe-v0", "--agent", "random", "-o", str(tmp_path / "film.gif"))
    assert str(done.exception) == "Stripe-v0 cannot be drawn: a library is not installed"
    monkeypatch.setattr(Stripe, "render", lambda self: None)
    done = invoke("Stripe-v0", "--agent", "random", "-o", str(tmp_path / "film.gif"))
    assert str(done.exception).startswith("Stripe-v0 renders NoneType; expected an array")


@pytest.mark.parametrize("steps", [1, 298, 299, 300, 301, 700, 1200])
def test_long_episodes_are_thinned_evenly(steps: int) -> None:
    spec = gym.spec("Stripe-v0")
    spec.kwargs["steps"] = steps
    shot, episode, fps = film("Stripe-v0", "random")
    assert fps == 25
    assert episode["length"] == steps
    assert MOST_FRAMES / 2 <= len(shot.frames) <= MOST_FRAMES or len(shot.frames) == steps + 1
    assert len(shot.frames) <= MOST_FRAMES
    assert shot.steps[0] == 0
    assert shot.steps[-1] == steps
    distances = np.diff(shot.steps)
    assert len(set(distances[:-1].tolist())) <= 1
    assert distances[-1] <= distances[0]
    assert [int(frame[0, 0, 0]) for frame in shot.frames] == [step % 256 for step in shot.steps]


def test_a_fixed_distance_is_kept() -> None:
    shot, _, _ = film("Stripe-v0", "random", every=1)
    assert shot.steps == list(range(701))


def test_a_fast_gif_keeps_to_what_players_show(tmp_path: Path) -> None:
    frames = [np.full((4, 4, 3), 60 * i, np.uint8) for i in range(4)]
    write_gif(tmp_path / "fast.gif", frames, fps=120)
    with Image.open(tmp_path / "fast.gif") as gif:
        assert gif.n_frames == 4
        assert gif.info["duration"] == 20


FFMPEG = """#!/bin/sh
# Keeps what comes in as what goes out: the last argument is the file.
for last; do :; done
cat > "$last"
"""


def test_mp4_gets_every_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ffmpeg").write_text(FFMPEG)
    (tmp_path / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    frames = [np.full((10, 12, 3), 60 * i, np.uint8) for i in range(3)]
    write_mp4(tmp_path / "episode.mp4", frames, fps=10)
    raw = np.frombuffer((tmp_path / "episode.mp4").read_bytes(), np.uint8).reshape(3, 10, 12, 4)
    assert (raw[..., :3] == np.array(frames)).all()


def test_mp4_without_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = invoke(BERT, "--agent", "heft", "-o", str(tmp_path / "episode.mp4"))
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith("mp4 needs ffmpeg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((BERT, "--agent", "heft", "-o", "film.avi"), "'.avi'; allowed: .gif, .html, .mp4"),
        ((BERT, "--agent", "heft", "-o", "film"), "unknown kind of file ''"),
        ((BERT, "--agent", "hefty", "-o", "film.gif"), "unknown agent 'hefty'"),
        (("Bert-v0", "--agent", "heft", "-o", "film.gif"), "unknown environment"),
        (("Blind-v0", "--agent", "random", "-o", "film.gif"), "draws no pictures"),
        ((BERT, "--agent", "heft", "-o", "film.gif", "--every", "0"), "every is 0"),
        ((BERT, "--agent", "heft", "-o", "film.gif", "--fps", "0"), "fps is 0"),
        ((BERT, "--agent", "heft", "-o", "film.gif", "--seed=-1"), "seed is -1"),
        ((BERT, "--agent", "heft", "-o", "film.gif", "--split", "test"), "unknown option 'split'"),
        ((BERT, "--agent", "heft", "-o", "film.gif", "--option", "graph=x"), "unknown graph 'x'"),
        ((BERT, "--agent", "heft", "-o", "film.gif", "--env", "colour=1"), "unknown argument of"),
    ],
)
def test_bad_input_is_one_clear_error(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke(*arguments, "--quiet")
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)
    assert list(tmp_path.iterdir()) == []
