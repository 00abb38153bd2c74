"""Chart files: what is written reads back the same, faults are named, .dwi is understood."""

import tarfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.dance import notes, simfiles
from envs.dance.chart import Song, check_holds, states
from envs.dance.corpus import ARCHIVES
from hardware_sim.errors import InputError
from tests.envs.dance import invented

HEADER = "#TITLE:T;#MUSIC:t.ogg;#OFFSET:-0.5;#BPMS:0=120,8=240;"


def sm(body, difficulty="Hard", header=HEADER):
    text = f"{header}\n#NOTES:dance-single:me:{difficulty}:7:0,0,0,0,0:\n{body}\n;"
    return text.encode()


def plain(song):
    """A song without what depends on where its file is."""
    return replace(song, name="", folder="", pack="")


@settings(max_examples=60, deadline=None)
@given(invented.songs())
def test_invented_songs_read_back_as_they_were_written(tmp_path_factory, song):
    folder = tmp_path_factory.mktemp("written")
    assert plain(simfiles.read(simfiles.write_sm(song, folder / "a.sm"))) == song
    assert plain(simfiles.read(simfiles.write_ssc(song, folder / "a.ssc"))) == song


def test_what_the_menu_plays_and_shows_is_written_and_read(tmp_path):
    song = simfiles.loads(sm("0000\n0000\n0000\n0010"), "t.sm")
    assert song.sample_s == ()
    marked = replace(song, sample_s=(30.5, 12.0))
    for write, suffix in ((simfiles.write_sm, "sm"), (simfiles.write_ssc, "ssc")):
        path = write(marked, tmp_path / f"a.{suffix}")
        assert plain(simfiles.read(path)) == plain(marked)
        text = path.read_text()
        assert "#SAMPLESTART:30.500;" in text
        assert "#SAMPLELENGTH:12.000;" in text
        assert "#DISPLAYBPM:120.000:240.000;" in text
        assert "#SAMPLESTART" not in write(song, path).read_text()


@pytest.mark.parametrize(
    "tags", ["#WARPS:1=1;#NOTEDATA:;", "#NOTEDATA:;#OFFSET:0.25;#BPMS:0=90,8=180;"]
)
def test_warps_and_timing_of_a_chart_need_ssc(tags, tmp_path):
    text = (
        f"#VERSION:0.83;#TITLE:T;#BPMS:0=120;{tags}#STEPSTYPE:dance-single;#DIFFICULTY:Hard;"
        "#METER:3;#NOTES:1000\n0000\n0000\n0010;"
    )
    song = simfiles.loads(text.encode(), "t.ssc")
    with pytest.raises(InputError, match=r"write \.ssc"):
        simfiles.write_sm(song, tmp_path / "a.sm")
    assert plain(simfiles.read(simfiles.write_ssc(song, tmp_path / "a.ssc"))) == song


@pytest.mark.data
def test_real_files_read_back_as_they_were_written(chart_files, tmp_path):
    count, refused = 0, []
    for number, (name, content) in enumerate(chart_files.items()):
        try:
            song = simfiles.loads(content, name, repair=True)
        except InputError as error:
            refused.append(str(error))
            continue
        needs_ssc = song.timing.warps or any(chart.timing for chart in song.charts)
        if needs_ssc:
            with pytest.raises(InputError, match=r"write \.ssc"):
                simfiles.write_sm(song, tmp_path / "a.sm")
        if needs_ssc or number % 2:
            path = simfiles.write_ssc(song, tmp_path / "a.ssc")
        else:
            path = simfiles.write_sm(song, tmp_path / "a.sm")
        assert plain(simfiles.read(path)) == song, name
        for chart in song.charts:
            check_holds(chart)
            count += 1
    assert count > 400
    assert all("#BPMS is missing" in error for error in refused)


@settings(deadline=None)
@given(invented.notes())
def test_measures_have_the_fewest_rows_that_a_note_type_allows(found):
    chart = chart_of(found)
    measures = notes.text(chart).split(",")
    for number, measure in enumerate(measures):
        rows = measure.split()
        assert len(rows) in notes.ROWS_A_MEASURE
        assert len(rows) % 4 == 0
        start = number * notes.MEASURE
        here = [tick - start for tick, _ in found if start <= tick < start + notes.MEASURE]
        for fewer in notes.ROWS_A_MEASURE[: notes.ROWS_A_MEASURE.index(len(rows))]:
            assert any(tick % (notes.MEASURE // fewer) for tick in here)


def chart_of(found):
    ticks, rows, mines, rolls = notes.placed(found)
    song = simfiles.loads(sm("0000"), "t.sm")
    times = song.timing.time_at(ticks / 48)
    return replace(song.charts[0], ticks=ticks, rows=rows, times=times, mines=mines, rolls=rolls)


def test_notes_of_every_kind_are_read():
    song = simfiles.loads(sm("1000\n0L00\nF020\n0M04\n,0033\nKA00\n0000\n0000\n"), "t.sm")
    chart = song.charts[0]
    assert states(chart.rows).tolist() == [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 2, 0],
        [0, 0, 0, 2],
        [0, 0, 3, 3],
    ]
    assert chart.ticks.tolist() == [0, 48, 96, 144, 192]
    assert chart.mines.tolist() == [[144, 1]]
    assert chart.rolls.tolist() == [[144, 3]]
    np.testing.assert_allclose(chart.times, [0.5, 1.0, 1.5, 2.0, 2.5])
    assert (chart.meter, chart.author, chart.difficulty) == (7, "me", "Hard")


def test_a_mine_cuts_off_a_hold_as_in_the_game():
    body = "2000\nM000\n3000\n0100"
    with pytest.raises(InputError, match="cuts off"):
        simfiles.loads(sm(body), "t.sm")
    chart = simfiles.loads(sm(body), "t.sm", repair=True).charts[0]
    assert chart.ticks.tolist() == [144]
    assert chart.mines.tolist() == [[48, 0]]


@pytest.mark.parametrize(
    ("body", "mended"),
    [
        ("2000\n0000\n0100\n0000", "0000\n0000\n0100\n0000"),
        ("0100\n3000\n0000\n0000", "0100\n0000\n0000\n0000"),
        ("2000\n1000\n0000\n3000", "0000\n1000\n0000\n0000"),
        ("10\n01001\n0000\n0000", "1000\n0100\n0000\n0000"),
    ],
    ids=["no end", "no head", "cut off", "length"],
)
def test_faults_that_games_forgive_are_mended(body, mended):
    with pytest.raises(InputError):
        simfiles.loads(sm(body), "t.sm")
    found = simfiles.loads(sm(body), "t.sm", repair=True)
    assert found == simfiles.loads(sm(mended), "t.sm")


def test_notes_in_warps_and_fake_spans_do_not_count():
    text = (
        "#VERSION:0.83;#TITLE:T;#BPMS:0=120;#WARPS:1=1;#FAKES:3=1;#NOTEDATA:;"
        "#STEPSTYPE:dance-single;#DIFFICULTY:Hard;#METER:3;"
        "#NOTES:1000\n2000\n3000\n1000\n,1000\n0000\n0000\n0000;"
    )
    chart = simfiles.loads(text.encode(), "t.ssc").charts[0]
    assert chart.ticks.tolist() == [0, 192]
    assert chart.times.tolist() == [0.0, 1.5]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"#TITLE:T;", "#BPMS is missing"),
        (sm("0000", header="#BPMS:0=fast;"), "beat=value"),
        (sm("0000", header="#BPMS:0=0;"), "tempo is 0"),
        (sm("0000", header="#OFFSET:soon;#BPMS:0=60;"), "OFFSET is 'soon'"),
        (sm("10000\n0000\n0000\n0000"), "measure 0, row 0 is '10000'"),
        (sm("1000\n00x0\n0000\n0000"), "measure 0, row 1"),
        (sm("2000\n0000\n0000\n0000"), "never ends on left at beat 0"),
        (sm("0000\n0030\n0000\n0000"), "tail without a hold on up at beat 1"),
        (b"#BPMS:0=60;#NOTES:dance-single:me:Hard;", "no .sm file"),
    ],
)
def test_faults_are_named(content, fault):
    with pytest.raises(InputError, match=r"^song\.sm: ") as caught:
        simfiles.loads(content, "song.sm")
    assert fault in str(caught.value)


def test_files_that_are_none_are_named(tmp_path):
    with pytest.raises(InputError, match="no chart file"):
        simfiles.read(tmp_path / "a.txt")
    with pytest.raises(InputError, match="cannot be read"):
        simfiles.read(tmp_path / "a.sm")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_titles_of_old_editors_are_read(encoding):
    content = sm("0000", header="#TITLE:Café;#BPMS:0=60;").decode().encode(encoding)
    assert simfiles.loads(content, "t.sm").title == "Café"


def test_japanese_titles_of_old_editors_are_read():
    text = sm("0000", header="#TITLE:カード;#BPMS:0=60;").decode()
    assert simfiles.loads(text.encode("cp932"), "t.sm").title == "カード"


def test_a_song_that_cannot_be_written_leaves_the_old_file(tmp_path):
    song = simfiles.loads(sm("1000\n0000\n0000\n0000"), "t.sm")
    path = simfiles.write_sm(song, tmp_path / "a.sm")
    before = path.read_bytes()
    broken = replace(song, charts=(replace(song.charts[0], rows=np.array([3], np.uint8)),))
    for write in (simfiles.write_sm, simfiles.write_ssc):
        with pytest.raises(InputError, match="tail without a hold"):
            write(broken, path)
    with pytest.raises(InputError, match="one line"):
        simfiles.write_sm(replace(song, title="two\nlines"), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.sm"]


def test_dwi_has_paces_jumps_and_holds():
    text = (
        "#TITLE:D;#BPM:120;#GAP:250;#CHANGEBPM:16=240;#FREEZE:8=500;"
        "#SINGLE:MANIAC:6:4!40(6824)[7]<AB>48;#DOUBLE:BASIC:1:0:0;"
    )
    song = simfiles.loads(text.encode(), "d.dwi")
    (chart,) = song.charts
    assert (chart.difficulty, chart.meter) == ("Hard", 6)
    assert song.timing.bpms == ((0, 120), (4, 240))
    assert song.timing.stops == ((2, 0.5),)
    assert chart.ticks.tolist() == [0, 48, 60, 72, 84, 96, 104, 128, 152]
    assert states(chart.rows).tolist() == [
        [2, 0, 0, 0],
        [0, 0, 0, 1],
        [0, 0, 1, 0],
        [0, 1, 0, 0],
        [3, 0, 0, 0],
        [1, 0, 1, 0],
        [1, 1, 1, 1],
        [1, 0, 0, 0],
        [0, 0, 1, 0],
    ]
    assert chart.times[0] == 0.25


def test_a_chart_is_the_same_in_both_formats():
    header = "#TITLE:T;#OFFSET:-0.25;#BPMS:0=120,2=240;#STOPS:1=0.5;"
    ours = simfiles.loads(
        b"#TITLE:T;#BPM:120;#GAP:250;#CHANGEBPM:8=240;#FREEZE:4=500;#SINGLE:MANIAC:7:4!40(6824)B;",
        "t.dwi",
    )
    body = "2000 0000 0000 0000 0001 0010 0100 3000 1001 0000 0000 0000 0000 0000 0000 0000"
    theirs = simfiles.loads(sm(body.replace(" ", "\n"), header=header), "t.sm")
    assert ours == replace(theirs, charts=(replace(theirs.charts[0], author=""),))


@pytest.mark.data
def test_a_song_that_has_both_formats_is_the_same_in_both(dance_data):
    place = "ddrt/Bhop Ball/[T07] Ants (No CMOD)/02 Ants"
    with tarfile.open(dance_data / ARCHIVES["arcade"]) as archive:
        dwi, sm = (
            simfiles.loads(archive.extractfile(place + suffix).read(), "ants" + suffix)
            for suffix in (".dwi", ".sm")
        )
    (ours,) = (chart for chart in dwi.charts if chart.difficulty == "Challenge")
    (theirs,) = (chart for chart in sm.charts if chart.difficulty == "Challenge")
    assert len(ours.rows) == 546
    np.testing.assert_array_equal(ours.ticks, theirs.ticks)
    np.testing.assert_array_equal(ours.rows, theirs.rows)
    np.testing.assert_allclose(ours.times, theirs.times, atol=1e-9)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("#TITLE:D;", "#BPM is missing"),
        ("#BPM:fast;", "allowed: a number"),
        ("#BPM:120;#SINGLE:BASIC;", "level:meter:steps"),
        ("#BPM:120;#SINGLE:BASIC:1:04Q4;", "'Q'"),
        ("#BPM:120;#SINGLE:BASIC:1:4!4;", "never ends"),
    ],
)
def test_faults_of_dwi_are_named(text, fault):
    with pytest.raises(InputError) as caught:
        simfiles.loads(text.encode(), "d.dwi")
    assert fault in str(caught.value)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_crash_a_reader(content):
    for name in ("t.sm", "t.ssc", "t.dwi"):
        try:
            song = simfiles.loads(content, name)
        except InputError:
            continue
        assert isinstance(song, Song)
