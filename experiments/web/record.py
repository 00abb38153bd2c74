"""``gymworks web record``: a person plays episodes in a browser, and every event is kept."""

import json
import os
import shutil
import subprocess
import tempfile
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from envs.web.chromium import find_chromium, sandbox_flags
from envs.web.demonstration_file import writable, write_demonstrations
from envs.web.recording import Desk, Recording, web_spec
from envs.web.server import ASIDE, Server
from hardware_sim.errors import InputError

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")
MARGIN = (420, 160)
"""Width and height of a window beside the pages, in CSS pixels."""


def command(
    env_id: Annotated[str, typer.Argument(metavar="ID", help="A WoB-* environment.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder; an episode is ID-SEED.jsonl.")
    ] = Path("demonstrations"),
    seed: Annotated[int, typer.Option(help="Seed of the first episode.")] = 0,
    episodes: Annotated[int, typer.Option(help="Episodes, of this seed and the next.")] = 1,
    options: Annotated[
        str, typer.Option(help='Options of reset as JSON, such as {"split": "test"}.')
    ] = "{}",
    by: Annotated[str, typer.Option(help="The player's name, for the file.")] = "",
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    browser: Annotated[
        bool, typer.Option("--browser", help="Open a window of Chromium for it.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
) -> None:
    """Record episodes as a person plays them; Ctrl-C ends, and keeps the unfinished one."""
    if episodes < 1 or seed < 0:
        raise InputError(f"{episodes} episodes from seed {seed}; allowed: from 1 and 0 up")
    chosen, name = read_options(options), web_spec(env_id).id
    files = [output / f"{name}-{seed + number}.jsonl" for number in range(episodes)]
    for file in files:
        writable(file, force)
    make_folder(output)

    def begin(number: int) -> Recording:
        return Recording(name, seed + number, chosen, by)

    begin(0)  # refuses bad options before anybody sits down
    console, desk = Console(highlight=False, soft_wrap=True), Desk(begin, episodes)
    server = Server(port)
    address = server.mount(desk, desk) + ASIDE
    try:
        with _shown(address, begin(0).task.size, browser):
            console.print(f"Open {address} in a browser.", markup=False)
            for file in files:
                _save(console, file, desk.wait(), force)
    except KeyboardInterrupt:
        if desk.recording is not None and desk.recording.steps and not desk.recording.finished:
            _save(console, files[desk.done], desk.recording, force)
    finally:
        server.close()


def read_options(text: str) -> dict[str, Any]:
    """Options of ``reset`` from JSON.

    Raises:
        InputError: It is no JSON object.
    """
    try:
        options = json.loads(text)
    except ValueError as error:
        raise InputError(f"the options {text!r} are no JSON: {error}") from None
    if not isinstance(options, dict):
        raise InputError(f'the options are {text!r}; allowed: an object like {{"split": "test"}}')
    return options


def make_folder(folder: Path) -> None:
    """Makes a folder that can be written to.

    Raises:
        InputError: It cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"{folder} cannot be written to: {error.strerror}") from error


def _save(console: Console, file: Path, recording: Recording, force: bool) -> None:
    demonstration = recording.demonstration()
    write_demonstrations(file, [demonstration], force)
    score = demonstration.score
    outcome = "unfinished" if score is None else f"score {score:.6g}"
    console.print(f"{outcome}, {len(demonstration.steps)} steps in {file}", markup=False)


@contextmanager
def _shown(address: str, size: tuple[int, int], own_window: bool) -> Iterator[None]:
    """Shows an address in a browser, if there is a display.

    Raises:
        InputError: A window was asked for, and there is no display or no Chromium.
    """
    display = any(os.environ.get(name) for name in DISPLAYS)
    if not own_window:
        if display:
            webbrowser.open(address)
        yield
        return
    if not display:
        raise InputError("--browser needs a display; without it, open the address yourself")
    _, program = find_chromium("chromium")
    width, height = (part + margin for part, margin in zip(size, MARGIN, strict=True))
    profile = tempfile.mkdtemp(prefix="gymworks-")
    flags = [f"--app={address}", f"--user-data-dir={profile}", f"--window-size={width},{height}"]
    flags += ["--no-first-run", "--no-default-browser-check", "--disable-sync"]
    flags += sandbox_flags()
    window = subprocess.Popen([program, *flags], stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        window.terminate()
        window.wait()
        shutil.rmtree(profile, ignore_errors=True)
