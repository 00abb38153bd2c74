"""Charts and songs that nobody wrote."""

import io
import tarfile
import tempfile
import zlib
from pathlib import Path

import mido
import numpy as np
from hypothesis import strategies as st

from envs.dance.chart import DIFFICULTIES, Chart, Song, rows_of
from envs.dance.corpus import ARCHIVES
from envs.dance.notes import placed
from envs.dance.simfiles import write_sm, write_ssc
from envs.dance.timing import TICKS, Timing
from tests.envs.dance.sounds import drums, vorbis

LINES = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), max_size=12
).filter(lambda text: text == " ".join(text.split()))


@st.composite
def notes(draw, most=24):
    """``{(tick, panel): character}`` in which every hold is closed."""
    grid = draw(st.sampled_from((48, 24, 16, 12, 8, 6, 4, 3, 1)))
    ticks = draw(st.lists(st.integers(0, 600 // grid * 4), max_size=most, unique=True))
    found, held = {}, set()
    for tick in sorted(ticks):
        for panel in range(4):
            character = draw(st.sampled_from("0033" if panel in held else "001124M"))
            if character != "0":
                found[tick * grid, panel] = character
            if character in "24":
                held.add(panel)
            elif character == "3":
                held.remove(panel)
    end = (max(ticks, default=0) + 1) * grid
    found.update({(end, panel): "3" for panel in held})
    return found


@st.composite
def charts(draw, timing, difficulty=None):
    ticks, rows, mines, rolls = placed(draw(notes()))
    return Chart(
        ticks,
        rows,
        timing.time_at(ticks / TICKS),
        difficulty or draw(st.sampled_from((*DIFFICULTIES, "Edit"))),
        draw(st.integers(1, 20)),
        draw(LINES),
        mines,
        rolls,
    )


@st.composite
def songs(draw):
    beats = st.integers(1, 400).map(lambda tick: tick / TICKS)
    values = st.floats(0.001, 900)
    events = st.dictionaries(beats, values, max_size=3).map(lambda each: tuple(each.items()))
    bpms = ((0.0, draw(values)), *draw(events))
    timing = Timing(draw(st.floats(-9, 9)), bpms, draw(events), draw(events))
    several = draw(st.lists(charts(timing), max_size=3))
    return Song(draw(LINES), draw(LINES), draw(LINES), timing, tuple(several))


PACES = dict(zip(DIFFICULTIES, (96, 48, 32, 24, 16), strict=True))
"""Ticks from step to step, by level."""

METERS = dict(zip(DIFFICULTIES, (1, 3, 5, 7, 9), strict=True))


def stream(title, level, timing, beats=56):
    """A chart of single steps for which the feet take turns and never cross, drawn by the title."""
    random = np.random.default_rng(zlib.crc32(f"{title} {level}".encode()))
    ticks = np.arange(4 * TICKS, beats * TICKS, PACES[level])
    panels = [0]
    for step in range(1, len(ticks)):
        reach = {1, 2, 3 * (step % 2)} - {panels[-1]}
        panels.append(random.choice(sorted(reach)))
    rows = rows_of(np.eye(4, dtype=int)[panels])
    return Chart(ticks, rows, timing.time_at(ticks / TICKS), level, METERS[level], "nobody")


def song(title, bpm=120.0, offset_s=0.0, music="", levels=DIFFICULTIES):
    """A song of steady tempo whose first beat is at ``offset_s``, with a chart a level."""
    timing = Timing.constant(bpm, -offset_s)
    charts = tuple(stream(title, level, timing) for level in levels)
    return Song(title, "Nobody", music, timing, charts)


def packed(files, path):
    """An archive of files, given as bytes by name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:xz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def chart_file(song, suffix=".sm"):
    """The bytes of a song's chart file."""
    with tempfile.TemporaryDirectory() as folder:
        write = write_ssc if suffix == ".ssc" else write_sm
        return write(song, Path(folder) / f"song{suffix}").read_bytes()


def guitar(path, beats=56):
    """A MIDI file at 120 beats a minute: a fret a beat at Easy, two a beat at Challenge."""
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)])
    wait = 0
    for beat in range(beats):
        for notes in ((60 + beat % 5, 96 + beat % 5), (96,)):
            for note in notes:
                track.append(mido.Message("note_on", note=note, velocity=90, time=wait))
                track.append(mido.Message("note_off", note=note, time=0))
                wait = 0
            wait = 240
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(track)
    file.save(path)


TITLES = tuple(f"Song {number}" for number in (0, 1, 2, 3, 4, 6, 19, 20))
"""Five are of the part train, one of valid, two of test."""


def data(folder):
    """A folder of dance data: an archive of songs, and a song with audio of either kind."""
    files = {f"itg/Pack/{each}/{each}.sm": chart_file(song(each)) for each in TITLES}
    packed(files, folder / ARCHIVES["itg"])
    pad, frets = folder / "stepmania5", folder / "fretsonfire"
    pad.mkdir()
    frets.mkdir()
    write_sm(song("Drums", offset_s=0.5, music="drums.ogg"), pad / "drums.sm")
    vorbis(pad / "drums.ogg", drums(120.0, 0.5))
    guitar(frets / "guitar.mid")
    vorbis(frets / "guitar.ogg", drums(120.0, 0.0))
    return folder
