"""``gymworks dance SONG``: charts of all levels for a song, in a folder that StepMania loads."""

import filecmp
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

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
from hardware_sim.errors import choose
from hardware_sim.files import write_atomic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from envs.dance.chart import Chart
    from envs.dance.tempo import Tempo
    from envs.dance.timing import Timing

WRITTEN = (".sm", ".ssc")
MOST_SHOWN = 4
SAMPLE_S = 15.0
"""Length of what the game's menu plays of a song."""


def command(
    song: Annotated[Path, typer.Argument(help="An audio file: Ogg, MP3, FLAC or WAV.")],
    path: Annotated[
        Path | None, output("An .sm or .ssc file; default: in a new folder.", *WRITTEN)
    ] = None,
    difficulties: Annotated[
        str, typer.Option(help="all, or some of Beginner,Easy,Medium,Hard,Challenge.")
    ] = "all",
    style: Annotated[
        str, typer.Option(help="natural, easy-on-the-feet or adventurous.")
    ] = "natural",
    bpm: Annotated[
        float | None, typer.Option(help="Beats a minute; by default it is found.")
    ] = None,
    density: Annotated[
        float | None, typer.Option(help="Steps a second, instead of what the levels have.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Default: the file's name.")] = None,
    artist: Annotated[str, typer.Option(help="Shown by the game.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Other seeds choose other panels.")] = 0,
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write step charts for a song."""
    from envs.dance.chart import DIFFICULTIES

    levels = DIFFICULTIES if difficulties == "all" else tuple(difficulties.split(","))
    for level in levels:
        choose("difficulty", level, DIFFICULTIES)
    place = path or destination(Path(song.stem) / f"{song.stem}.sm", force=force)
    if not _same(song, place.parent / song.name):
        destination(place.parent / song.name, force=force)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=aside(quiet), transient=True) as progress:
        task = progress.add_task("reading the song", total=None)
        found, made = write(
            song,
            place,
            levels=levels,
            style=style,
            bpm=bpm,
            density=density,
            title=title or song.stem,
            artist=artist,
            seed=seed,
            report=lambda stage: progress.update(task, description=stage),
        )
    if as_json:
        print_json(_document(place, found, made))
    else:
        text = "\n".join([*_described(found, made, bpm), str(place)])
        printer(silent=quiet).print(text, markup=False)


def write(
    music: Path,
    place: Path,
    *,
    levels: tuple[str, ...],
    style: str,
    bpm: float | None,
    density: float | None,
    title: str,
    artist: str,
    seed: int,
    report: Callable[[str], None],
) -> "tuple[list[Tempo], tuple[Chart, ...]]":
    """Writes the chart file and, where they differ, the music beside it.

    Returns:
        The readings of the song's beat, the one taken first, and the charts.

    Raises:
        InputError: The music cannot be read or has no beat, or an option is out of range; nothing
            is written then.
    """
    import torch

    from agents.dance.charter import STYLES, charts
    from agents.dance.charting import timing
    from envs.dance import audio, tempo
    from envs.dance.chart import Song
    from envs.dance.simfiles import write_sm, write_ssc

    choose("style", style, tuple(STYLES))
    torch.set_num_threads(1)  # networks this small only wait for each other on more
    samples, rate = audio.load(music)
    report("finding the beat")
    found = tempo.estimate(samples, bpm)
    report("listening")
    features = audio.log_mel(samples, rate)
    beats = timing(found[0])
    made = charts(features, beats, levels, style, density, seed, report)
    start_s = highlight(samples, rate, beats)
    sample_s = (start_s, min(SAMPLE_S, len(samples) / rate - start_s))
    song = Song(title, artist, music.name, beats, made, sample_s=sample_s)
    report("writing")
    deliver(place, partial({".sm": write_sm, ".ssc": write_ssc}[place.suffix.lower()], song))
    beside = place.parent / music.name
    if not _same(music, beside):
        with music.open("rb") as source:
            write_atomic(beside, partial(shutil.copyfileobj, source))
    return found, made


def highlight(samples: "NDArray[np.float32]", rate: int, beats: "Timing") -> float:
    """The start of the loudest :data:`SAMPLE_S` seconds of a song, in seconds.

    It is on a measure, or so late that they are the song's last.

    Args:
        samples: Mono.
        rate: Of them, a second.
        beats: The song's beats; its measures have four.
    """
    latest_s = max(len(samples) / rate - SAMPLE_S, 0.0)
    measures = beats.time_at(np.arange(0, float(beats.beat_at(latest_s)) + 1, 4))
    starts = np.append(measures[(measures >= 0) & (measures <= latest_s)], latest_s)
    energy = np.concatenate([[0.0], np.square(samples, dtype=np.float64).cumsum()])
    first = np.rint(starts * rate).astype(np.int64)
    last = np.minimum(first + round(SAMPLE_S * rate), len(samples))
    return round(float(starts[np.argmax(energy[last] - energy[first])]), 3)


def _document(place: Path, found: "list[Tempo]", made: "tuple[Chart, ...]") -> dict[str, Any]:
    """The beat found and the charts written, JSON-serialisable, for scripts."""
    return {
        "file": str(place),
        "bpm": float(found[0].bpm),
        "first_beat_s": float(found[0].offset_s),
        "steadiness": float(found[0].steadiness),
        "steady": bool(found[0].is_steady),
        "other_bpms": [float(each.bpm) for each in found[1:MOST_SHOWN]],
        "charts": [
            {"difficulty": c.difficulty, "meter": int(c.meter), "rows": len(c.rows)} for c in made
        ],
    }


def _described(found: "list[Tempo]", made: "tuple[Chart, ...]", bpm: float | None) -> list[str]:
    """The beat found and the charts written, in lines for people."""
    lines = [f"{found[0].bpm:.2f} beats a minute, the first at {found[0].offset_s:.3f} s"]
    others = ", ".join(f"{each.bpm:.2f}" for each in found[1:MOST_SHOWN])
    if bpm is None and others:
        lines.append(f"if that is wrong, give --bpm; also possible: {others}")
    if not found[0].is_steady:
        lines.append(
            f"the tempo seems to vary (steadiness {found[0].steadiness:.2f} of 1): arrows will "
            "stray from the beat"
        )
    return lines + [f"{c.difficulty:>10} {c.meter:3}  {len(c.rows):5} rows" for c in made]


def _same(music: Path, other: Path) -> bool:
    """True if both files are there and alike."""
    return music.is_file() and other.is_file() and filecmp.cmp(music, other, shallow=False)
