"""``gymworks web record``: a person plays episodes in a browser, and every event is kept."""

import json
import os
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
from envs.web.demonstration_file import write_demonstrations
from envs.web.lifetime import Family, die_with_parent, keep
from envs.web.recording import Desk, Recording, web_spec
from envs.web.server import ASIDE, Server
from experiments.options import Force, deliver, destination, output, printer
from hardware_sim.errors import InputError

DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")
MARGIN = (420, 160)
"""Width and height of a window beside the pages, in CSS pixels."""


def command(
    env_id: Annotated[str, typer.Argument(metavar="ID", help="A WoB-* environment.")],
    folder: Annotated[Path, output("Folder; an episode is ID-SEED.jsonl.", folder=True)] = Path(
        "demonstrations"
    ),
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
    force: Force = False,
) -> None:
    """Record episodes as a person plays them; Ctrl-C ends, and keeps the unfinished one."""
    if episodes < 1 or seed < 0:
        raise InputError(f"{episodes} episodes from seed {seed}; allowed: from 1 and 0 up")
    chosen, name = read_options(options), web_spec(env_id).id
    files = [folder / f"{name}-{seed + number}.jsonl" for number in range(episodes)]
    for file in files:
        destination(file, force=force)

    def begin(number: int) -> Recording:
        return Recording(name, seed + number, chosen, by)

    begin(0)  # refuses bad options before anybody sits down
    console, desk = printer(), Desk(begin, episodes)
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


def _save(console: Console, file: Path, recording: Recording, force: bool) -> None:
    demonstration = recording.demonstration()
    deliver(file, lambda place: write_demonstrations(place, [demonstration], force))
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
    folder = tempfile.mkdtemp(prefix="gymworks-")
    flags = [f"--app={address}", f"--user-data-dir={folder}"]
    flags += [f"--window-size={width},{height}"]
    flags += ["--no-first-run", "--no-default-browser-check", "--disable-sync"]
    flags += sandbox_flags()

    def run() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [program, *flags],
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,
            start_new_session=True,
        )

    window, keeper = keep(run, subprocess.Popen.wait)
    family = Family(window.pid, folder, keeper)
    try:
        yield
    finally:
        family.end()
