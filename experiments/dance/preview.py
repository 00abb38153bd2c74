"""One self-contained page that plays a song with its chart: ``gymworks dance preview``."""

import base64
import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from jinja2 import Environment, StrictUndefined
from numpy.typing import NDArray

from experiments.dance.ratings import SUFFIX
from experiments.options import Force, Quiet, aside, deliver, destination, output, printer
from hardware_sim.errors import InputError

WAVES_PER_S = 50
TYPES = {".ogg": "audio/ogg", ".mp3": "audio/mpeg", ".wav": "audio/wav", ".flac": "audio/flac"}


def command(
    chart_file: Annotated[Path, typer.Argument(help="An .sm, .ssc or .dwi file.")],
    path: Annotated[Path | None, output("The page; by default beside the chart.")] = None,
    music: Annotated[
        Path | None, typer.Option(help="The song; by default the file that the chart names.")
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Write one HTML page that plays the song with scrolling arrows, feet and waveform.

    On the page a chart can be rated from 1 to 5; it saves a small file for gymworks dance ratings.
    """
    page = path or destination(chart_file.with_suffix(".html"), force=force)
    with aside(quiet).status("reading the song and finding the feet"):
        deliver(page, lambda place: write(chart_file, place, music))
    printer(silent=quiet).print(f"{page}", markup=False)


def write(chart_file: Path, page: Path, music: Path | None = None) -> None:
    """Writes the page of a chart file; see :func:`command`.

    Raises:
        InputError: The chart or the music cannot be read, or a chart has a hold that never ends.
    """
    from envs.dance import audio, simfiles
    from hardware_sim.files import write_text

    song = simfiles.read(chart_file)
    path = music or chart_file.parent / song.music
    if not song.music and music is None:
        raise InputError(f"{chart_file} names no music; give it by --music")
    samples, rate = audio.load(path)
    charts = sorted((c for c in song.charts if len(c.rows)), key=lambda c: (c.level, c.meter))
    if not charts:
        raise InputError(f"{chart_file} has no chart with a note in it")
    duration_s = len(samples) / rate
    source = files("experiments.dance").joinpath("preview.html").read_text()
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(source)
    text = template.render(
        title=" - ".join(filter(None, (song.artist, song.title))) or chart_file.stem,
        caption="L and R are the feet that take each arrow with the least effort.",
        charts=[_chart(chart, song, duration_s) for chart in charts],
        file=chart_file.name,
        suffix=SUFFIX,
        waveform=_waveform(samples, rate),
        waves_per_s=WAVES_PER_S,
        duration_s=round(duration_s, 2),
        music=_uri(path),
    )
    write_text(page, text)


def _chart(chart: Any, song: Any, duration_s: float) -> dict[str, Any]:
    """A chart's name, its notes, their digest and the seconds at which measures begin."""
    from envs.dance.timing import TICKS

    timing = chart.timing or song.timing
    beats = np.arange(0, float(timing.beat_at(duration_s)), 4)
    return {
        "name": f"{chart.difficulty} {chart.meter}",
        "digest": hashlib.sha256(chart.ticks.tobytes() + chart.rows.tobytes()).hexdigest()[:16],
        "notes": notes(chart),
        "measures": np.round(timing.time_at(beats), 3).tolist(),
        "ticks_per_beat": TICKS,
    }


def notes(chart: Any) -> list[list[float]]:
    """A chart's notes in the order of their heads.

    Returns:
        Each ``[seconds, panel, seconds of its end or 0, part of the measure, foot]``, the foot 0
        for the left one, 1 for the right one.
    """
    from envs.dance.chart import HEAD, TAIL, TAP, states
    from envs.dance.feet import feet_of
    from envs.dance.grid import note_kinds

    path, kinds = feet_of(chart), note_kinds(chart.ticks).tolist()
    found: list[list[float]] = []
    open_holds: dict[int, list[float]] = {}
    rows = zip(chart.times.tolist(), kinds, states(chart.rows), strict=True)
    for i, (second, kind, panels) in enumerate(rows):
        for panel, state in enumerate(panels.tolist()):
            if state == TAIL and panel in open_holds:
                open_holds.pop(panel)[2] = round(second, 3)
            if state in (TAP, HEAD):
                foot = int(path.right[i] >> panel & 1)
                note = [round(second, 3), panel, 0, kind, foot]
                found.append(note)
                if state == HEAD:
                    open_holds[panel] = note
    return found


def _waveform(samples: NDArray[np.float32], rate: int) -> list[int]:
    """Peaks, 0 to 100."""
    width = rate // WAVES_PER_S
    peaks = np.abs(samples[: len(samples) // width * width]).reshape(-1, width).max(axis=1)
    found: list[int] = np.rint(100 * peaks / max(float(peaks.max()), 1e-9)).astype(int).tolist()
    return found


def _uri(path: Path) -> str:
    kind = TYPES.get(path.suffix.lower())
    if kind is None:
        allowed = ", ".join(TYPES)
        raise InputError(f"browsers do not play {path.name}; allowed: {allowed}")
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
