"""Chart files with bytes and numbers changed at random: read, or refused by a sentence."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import mido
import pytest

from envs.dance import fretboard, simfiles
from envs.dance.chart import CHART_BYTES, Song
from hardware_sim.errors import InputError
from tests.envs.dance import invented

MUTANTS = 400
HEADER = (
    "#TITLE:T;#ARTIST:A;#MUSIC:t.ogg;#OFFSET:-0.5;#BPMS:0=120,8=240,12=-60,13=60;"
    "#STOPS:4=0.5,6=-0.25;#DELAYS:3=1;#WARPS:9=2;#FAKES:1=1;"
)
BODY = "1000\n0200\n0300\n00M1,\n4000\n3001\n0110\nL00F,\n" + "0001\n1000\n" * 8
CHARTS = {
    ".sm": f"{HEADER}\n#NOTES:dance-single:me:Hard:7:0,0,0,0,0:\n{BODY};",
    ".ssc": f"#VERSION:0.83;{HEADER}#NOTEDATA:;#STEPSTYPE:dance-single;#BPMS:0=90;#OFFSET:0;"
    f"#DIFFICULTY:Hard;#METER:3;#NOTES:{BODY};",
    ".dwi": "#TITLE:T;#FILE:t.ogg;#GAP:300;#BPM:120.5;#CHANGEBPM:16=140,64=90;#FREEZE:32=500;"
    "#SINGLE:MANIAC:7:0042(6842)8!8 0 8<268>24[468]{22448866}`4`;#SINGLE:BASIC:2:4!40040;",
}
NUMBERS = [b"0", b"-1", b"1e308", b"-1e308", b"1e-320", b"nan", b"inf", b"1e18", b"99999999999999"]
PIECES = [*NUMBERS, *(bytes([c]) for c in b";:,#=/M234<!({[\n"), "\u00df".encode(), b"\xff", b"\0"]


def mutants(content: bytes) -> Iterator[bytes]:
    """Changed contents, the same each time."""
    draw = random.Random(0)
    numbers = [found.span() for found in re.finditer(rb"-?\d+\.?\d*", content)]
    for _ in range(MUTANTS):
        mutant = bytearray(content)
        if numbers and draw.random() < 0.5:
            start, end = draw.choice(numbers)
            mutant[start:end] = draw.choice(NUMBERS)
        for _ in range(draw.choice((0, 1, 1, 4))):
            place, length = draw.randrange(len(mutant)), draw.choice((0, 1, 2, 40))
            other = draw.randrange(len(mutant))
            piece = bytes(mutant[other : other + 20])
            mutant[place : place + length] = draw.choice((*PIECES, bytes([other % 256]), piece))
        yield bytes(mutant)


@pytest.mark.parametrize("suffix", CHARTS)
def test_a_changed_chart_is_read_or_refused(suffix: str) -> None:
    content, outcomes = CHARTS[suffix].encode(), set()
    assert isinstance(simfiles.loads(content, f"chart{suffix}"), Song)
    for number, mutant in enumerate(mutants(content)):
        try:
            simfiles.loads(mutant, f"chart{suffix}", repair=number % 2 == 0)
            outcomes.add("read")
        except InputError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


@pytest.mark.parametrize(
    ("suffix", "good", "bad"),
    [
        (".sm", ":7:", ":inf:"),
        (".dwi", ":7:", ":nan:"),
        (".dwi", ":7:", ":1e999:"),
        (".sm", "0=120", "1e308=120"),
        (".sm", "0=120", "0=1e-320"),
        (".dwi", "32=500", "1e308=500"),
        (".sm", "00M1,", "00\u00df1,"),
    ],
)
def test_a_number_beyond_reason_is_refused(suffix: str, good: str, bad: str) -> None:
    assert good in CHARTS[suffix]
    text = CHARTS[suffix].replace(good, bad)
    with pytest.raises(InputError, match=r"allowed: |is beyond"):
        simfiles.loads(text.encode(), f"chart{suffix}", repair=True)


def test_a_changed_guitar_chart_is_read_or_refused(tmp_path: Path) -> None:
    path, outcomes = tmp_path / "guitar.mid", set()
    invented.guitar(path, beats=8)
    for mutant in mutants(path.read_bytes()):
        path.write_bytes(mutant)
        try:
            fretboard.read(path)
            outcomes.add("read")
        except InputError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


@pytest.mark.parametrize(
    ("ticks_per_beat", "messages", "sentence"),
    [
        (0, [], "0 ticks a beat"),
        (480, [mido.MetaMessage("set_tempo", tempo=0)], "a tempo of 0"),
    ],
)
def test_a_guitar_chart_without_a_clock_is_refused(
    ticks_per_beat: int, messages: list[mido.MetaMessage], sentence: str, tmp_path: Path
) -> None:
    file = mido.MidiFile(ticks_per_beat=ticks_per_beat)
    file.tracks.append(mido.MidiTrack(messages))
    file.save(tmp_path / "guitar.mid")
    with pytest.raises(InputError, match=sentence):
        fretboard.read(tmp_path / "guitar.mid")


def test_a_message_that_holds_too_little_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "guitar.mid"
    track = b"\x00\xff\x59\x00" + b"\x00\xff\x2f\x00"  # a key signature of no bytes
    path.write_bytes(
        b"MThd\0\0\0\6\0\1\0\1\1\xe0" + b"MTrk" + len(track).to_bytes(4, "big") + track
    )
    with pytest.raises(InputError, match="cannot be read as MIDI: IndexError"):
        fretboard.read(path)


@pytest.mark.parametrize("name", ["chart.sm", "chart.ssc", "chart.dwi", "guitar.mid"])
def test_a_chart_of_many_megabytes_is_refused(name: str, tmp_path: Path) -> None:
    with (tmp_path / name).open("wb") as file:
        file.truncate(CHART_BYTES + 1)
    with pytest.raises(InputError, match="more than 4 MiB"):
        (fretboard if name.endswith(".mid") else simfiles).read(tmp_path / name)


@pytest.mark.parametrize("suffix", [".sm", ".ssc"])
def test_a_chart_of_too_many_measures_or_events_is_refused(suffix: str) -> None:
    long = CHARTS[suffix].replace(BODY, "," * 10_000 + "1000")
    with pytest.raises(InputError, match="10001 measures; allowed: at most 10000"):
        simfiles.loads(long.encode(), f"chart{suffix}")
    many = CHARTS[suffix].replace("#WARPS:", "#WARPS:" + "9=2," * 20_000)
    with pytest.raises(InputError, match="WARPS has 20001 entries; allowed: at most 20000"):
        simfiles.loads(many.encode(), f"chart{suffix}")
