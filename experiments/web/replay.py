"""``gymworks web replay``: plays demonstrations again and compares page for page."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import numpy as np
import typer
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from envs.web.browser import release_browsers
from envs.web.demonstration import Demonstration
from envs.web.demonstration_file import read_demonstrations
from envs.web.demonstration_frames import FrameWriter, frames_path
from envs.web.env import WebEnv
from envs.web.replaying import Drift, Replay, replay
from experiments.options import (
    AsJson,
    Force,
    Quiet,
    aside,
    deliver,
    destination,
    output,
    print_json,
    printer,
)
from experiments.watch import FORMATS, Film, check_film

FPS = 8.0
MOST_ROWS = 5
"""Differing rows that are printed."""


def command(
    file: Annotated[Path, typer.Argument(help="A file of demonstrations.")],
    path: Annotated[
        Path | None, output("Film of the first: .gif, .html or .mp4.", *FORMATS)
    ] = None,
    frames: Annotated[
        bool, typer.Option("--frames", help="Write the screen at each step beside the file.")
    ] = False,
    allow_drift: Annotated[
        bool, typer.Option("--allow-drift", help="Exit with 0 even if the pages went another way.")
    ] = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Replay demonstrations in a browser; exit with 1 if the pages went another way."""
    if path is not None:
        check_film(path)
    if frames:
        destination(frames_path(file), force=force)
    demonstrations = list(read_demonstrations(file))
    console = printer(silent=quiet or as_json)
    writer, films, seen = FrameWriter(), list[Film](), list[Replay]()
    with _bar(demonstrations, quiet) as advance:
        for number, each in enumerate(demonstrations):

            def on_step(
                step: int, env: WebEnv, number: int = number, each: Demonstration = each
            ) -> None:
                advance()
                if frames:
                    writer.add(number, step, _screen(env))
                if path is not None and number == 0:
                    if step == 0:
                        films.append(Film(env))
                    films[0].take(last=step == len(each.steps) - 1)

            seen.append(replay(each, on_step))
            if not as_json:
                printer(silent=quiet and seen[-1].agrees).print(
                    "\n".join(described(each, seen[-1])), markup=False
                )
    release_browsers()
    if frames:
        console.print(f"frames in {writer.write(file)}", markup=False)
    if path is not None:
        title = f"{demonstrations[0].env_id}, seed {demonstrations[0].seed}"
        caption = demonstrations[0].instruction
        deliver(path, lambda place: films[0].write(place, FPS, title, caption))
        console.print(f"{len(films[0].frames)} frames in {path}", markup=False)
    agree = all(each.agrees for each in seen)
    if as_json:
        found = [summary(*pair) for pair in zip(demonstrations, seen, strict=True)]
        print_json({"file": str(file), "agree": agree, "demonstrations": found})
    if not agree and not allow_drift:
        raise typer.Exit(1)


def summary(demonstration: Demonstration, seen: Replay) -> dict[str, Any]:
    """A replay, JSON-serialisable: where it left the recording, and both outcomes."""
    return {
        "env_id": demonstration.env_id,
        "seed": demonstration.seed,
        "steps": len(demonstration.steps),
        "agrees": seen.agrees,
        "drift_step": None if seen.drift is None else seen.drift.step,
        "left_out": [unsent._asdict() for unsent in seen.unsent],
        "score": None if seen.outcome is None else seen.outcome.score,
        "recorded_score": demonstration.score,
        "sent": seen.sent,
        "recorded_sent": demonstration.sent,
    }


@contextmanager
def _bar(demonstrations: list[Demonstration], quiet: bool) -> Iterator[Callable[[], None]]:
    """A progress bar over steps; yields what moves it on."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    console = aside(quiet)
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, disable=hidden, transient=True) as bar:
        task = bar.add_task("replaying", total=sum(len(each.steps) for each in demonstrations))
        yield lambda: bar.advance(task)


def _screen(env: WebEnv) -> NDArray[np.uint8]:
    assert env.session.client is not None
    return env.session.client.pixels()


def described(demonstration: Demonstration, seen: Replay) -> list[str]:
    """A replay for people, one line a finding."""
    steps = len(demonstration.steps)
    lines = [f"{demonstration.env_id}, seed {demonstration.seed}, {steps} steps: "]
    lines[0] += "no drift" if seen.drift is None else f"drift at step {seen.drift.step}"
    if seen.drift is not None:
        lines += _differences(seen.drift)
    lines += [f"step {unsent.step} was left out: {unsent.why}" for unsent in seen.unsent]
    score = None if seen.outcome is None else seen.outcome.score
    for name, now, then in (
        ("POST", seen.sent, demonstration.sent),
        ("score", score, demonstration.score),
    ):
        same = "as recorded" if now == then else f"recorded: {_plain(then)}"
        lines.append(f"{name} {_plain(now)}, {same}")
    return lines


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return urlencode(value)
    return "none" if value is None else f"{value:g}"


def _differences(drift: Drift) -> list[str]:
    """The parts and rows of a page that differ, one line each."""
    lines = [
        f"{part}: {getattr(drift.recorded, part)!r}, now {getattr(drift.shown, part)!r}"
        for part in drift.parts
    ]
    for ref in drift.rows[:MOST_ROWS]:
        then, now = (
            rows[ref] if ref < len(rows) else None
            for rows in (drift.recorded.rows, drift.shown.rows)
        )
        if then is None or now is None:
            shown = "is gone" if now is None else "was not there"
            lines.append(f"row {ref}: {shown}: {then or now}")
            continue
        changed = [name for name in then._fields if getattr(then, name) != getattr(now, name)]
        parts = [f"{name} {getattr(then, name)!r}, now {getattr(now, name)!r}" for name in changed]
        lines.append(f"row {ref}: {'; '.join(parts)}")
    if len(drift.rows) > MOST_ROWS:
        lines.append(f"and {len(drift.rows) - MOST_ROWS} rows more")
    return lines
