"""``gymworks dance judge``: playability, difficulty and sync of charts.

Playability is measured against human charts of the level, the meter by a model of In The Groove's,
sync by the onsets of the song's audio, if it is there.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from envs.dance.chart import Chart, Song
from envs.dance.playability import MIDDLE, PACES, Finding, findings, level_of, meter_model, score
from experiments.options import AsJson, print_json, printer

FEWEST_STEPS = 10
"""Steps below which a chart is too short to judge."""

MET = 0.25
"""Onset strength at the steps, in standard deviations, below which they are not on the sound."""

IN_SYNC_S = 0.02
"""Lag and drift up to which a chart counts as in sync."""


COLOURS = ((90, "green"), (75, "yellow"), (0, "red"))
"""Least playability of each colour."""


@dataclass(frozen=True)
class Sync:
    """Lag and drift of a chart's steps against the onsets of its song.

    Attributes:
        lag_s: Seconds by which the chart is late (negative: early), from -0.1 to 0.1.
        drift_s: Seconds by which its last third is later than its first.
        strength: Mean strength of the onsets at the steps once the lag is taken off, in standard
            deviations; about 0 for a chart of another song.
        verdict: The conclusion, for people.
    """

    lag_s: float
    drift_s: float
    strength: float
    verdict: str


@dataclass(frozen=True)
class Judgement:
    """The figures by which a chart is judged, and the reasons.

    Attributes:
        difficulty: Its level.
        author: Its author's name.
        measured_by: The level whose human charts it was measured by.
        steps: Rows on which a foot steps.
        meter: Its author's meter.
        estimated_meter: The meter estimated for it, on In The Groove's scale.
        playability: From 0 to 100, see :func:`envs.dance.playability.score`.
        rates: See :func:`envs.dance.feet.rates`.
        findings: Traits that few human charts of the level have.
        sync: Its sync with the audio; ``None`` without audio.
    """

    difficulty: str
    author: str
    measured_by: str
    steps: int
    meter: int
    estimated_meter: float
    playability: float
    rates: dict[str, float]
    findings: list[Finding]
    sync: Sync | None


def judge(chart: Chart, song: Song, curve: NDArray[np.float64] | None = None) -> Judgement:
    """Judges a chart with at least :data:`FEWEST_STEPS` steps.

    Args:
        chart: One of the song's.
        song: The song, for its offset.
        curve: The song's onset curve (:func:`envs.dance.tempo.onsets`, ``full``), or none.
    """
    from envs.dance.feet import feet_of, rates
    from envs.dance.playability import estimate_meter

    found = rates(chart)
    stepped = feet_of(chart).stepped
    timing = chart.timing or song.timing
    return Judgement(
        chart.difficulty,
        chart.author,
        level_of(chart),
        int(stepped.sum()),
        chart.meter,
        round(estimate_meter(found), 1),
        round(score(chart, found), 1),
        {name: round(value, 3) for name, value in found.items()},
        findings(chart, found),
        None if curve is None else synced(chart.times[stepped], curve, timing.offset_s),
    )


def synced(times: NDArray[np.float64], curve: NDArray[np.float64], offset_s: float) -> Sync:
    """Sync of steps at times (N,) with the onsets of a curve; ``offset_s`` is the file's."""
    from envs.dance.tempo import CURVE_RATE, lag

    def strength(shift_s: float) -> float:
        places = (times - shift_s) * CURVE_RATE
        return float(np.interp(places, np.arange(len(curve)), curve, left=0, right=0).mean())

    late_s = lag(curve, times)
    met = strength(late_s)
    third = max(len(times) // 3, 1)
    drift_s = lag(curve, times[-third:]) - lag(curve, times[:third])
    if met < MET:
        verdict = "the steps are not on the sound: another song, or a wrong tempo"
    elif abs(drift_s) > IN_SYNC_S:
        verdict = f"drifts by {1e3 * drift_s:+.0f} ms from the first third to the last: check #BPMS"
    elif abs(late_s) > IN_SYNC_S:
        side = "late" if late_s > 0 else "early"
        verdict = f"{1e3 * abs(late_s):.0f} ms {side}: #OFFSET should be {offset_s + late_s:.3f}"
    else:
        verdict = "in sync"
    return Sync(round(late_s, 4), round(drift_s, 4), round(met, 3), verdict)


def music_of(song: Song, path: Path) -> Path | None:
    """The song's audio: the file it names, or one of the chart's own name; none if missing."""
    named = [path.parent / song.music] if song.music else []
    beside = [path.with_suffix(suffix) for suffix in (".ogg", ".mp3", ".flac", ".wav")]
    return next((each for each in [*named, *beside] if each.is_file()), None)


def command(
    file: Annotated[Path, typer.Argument(help="A .sm, .ssc or .dwi file.")],
    audio: Annotated[
        Path | None, typer.Option(help="The song; by default what the file names, if it is there.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge the charts of a song: playability, difficulty, sync, each with reasons."""
    from envs.dance import simfiles

    song = simfiles.read(file)
    console = printer(soft_wrap=False)
    music = audio or music_of(song, file)
    curve = None
    if music is not None:
        from envs.dance.audio import load
        from envs.dance.tempo import onsets

        curve = onsets(load(music)[0]).full
    fit = [c for c in song.charts if len(c.rows) >= FEWEST_STEPS]
    judged = [judge(chart, song, curve) for chart in fit]
    short = [chart.difficulty for chart in song.charts if len(chart.rows) < FEWEST_STEPS]
    if as_json:
        document: dict[str, Any] = {
            "title": song.title,
            "artist": song.artist,
            "audio": str(music) if music else None,
            "too_short": short,
            "charts": [asdict(each) for each in judged],
        }
        print_json(document)
        return
    _print(console, song, judged)
    if short:
        console.print(f"Too short to judge (under {FEWEST_STEPS} rows): {', '.join(short)}")
    if not song.charts:
        console.print("The file has no four-panel chart (dance-single).")
    if music is None:
        console.print("Sync was not judged: the song is not beside the file (--audio names one).")


def _print(console: Console, song: Song, judged: list[Judgement]) -> None:
    from envs.dance.feet import quantiles

    console.print(f"[bold]{song.title or 'Untitled'}[/bold] {song.artist}", highlight=False)
    table = Table()
    for heading in ("level", "steps", "meter", "estimated", "steps/s", "human", "playability"):
        table.add_column(heading, justify="left" if heading == "level" else "right")
    for each in judged:
        human = quantiles()[each.measured_by]["steps_per_s"][MIDDLE]
        colour = (
            "green" if each.playability >= 90 else "yellow" if each.playability >= 75 else "red"
        )
        table.add_row(
            each.difficulty,
            str(each.steps),
            str(each.meter),
            f"{each.estimated_meter:.1f}",
            f"{each.rates['steps_per_s']:.2f}",
            f"{human:.2f}",
            f"[{colour}]{each.playability:.0f}[/{colour}]",
        )
    console.print(table)
    error = meter_model()["mean_absolute_error"]["test"][0]
    console.print(
        f"Estimated: on In The Groove's scale, mean error on held-out songs {error:.1f}. Human: "
        "the median chart of the level.",
        highlight=False,
        soft_wrap=True,
    )
    for each in judged:
        console.print(f"[bold]{each.difficulty}[/bold]", highlight=False)
        for line in _reasons(each):
            console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)


def _reasons(each: Judgement) -> list[str]:
    lines = []
    error = meter_model()["mean_absolute_error"]["test"][0]
    if abs(each.estimated_meter - each.meter) > 4 * error:
        side = "harder" if each.estimated_meter > each.meter else "easier"
        lines.append(f"Meter: {side} than its {each.meter}, about {each.estimated_meter:.1f}.")
    for finding in each.findings:
        unit = "" if finding.rate in PACES else " per 100 steps"
        where = ", ".join(f"{1 + beat / 4:.2f}" for beat in finding.beats)
        lines.append(
            f"{finding.reason[0].upper()}{finding.reason[1:]}: {finding.value:.2f}{unit}; "
            f"human {each.measured_by} charts have {finding.median:.2f}, 95 % of them at most "
            f"{finding.high:.2f}." + (f" At measures {where}." if where else "")
        )
    if not each.findings:
        lines.append(f"Nothing that human {each.measured_by} charts do not have as well.")
    if each.sync:
        lines.append(f"Sync: {each.sync.verdict} (lag {1e3 * each.sync.lag_s:+.0f} ms).")
    return lines
