"""Demonstrations survive being written, and a file that was cut or changed is refused by line."""

import json
import lzma
import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.web.actions import Action
from envs.web.demonstration import TYPES, Demonstration, Step
from envs.web.demonstration_file import (
    demonstration_files,
    read_demonstrations,
    write_demonstrations,
)
from envs.web.snapshot import Row, Snapshot
from hardware_sim.errors import InputError

TEXT = st.text(max_size=12)
ROW = st.none() | st.builds(
    Row,
    *[TEXT] * 4,
    *[st.integers(-2000, 2000)] * 4,
    *[st.booleans()] * 5,
    st.lists(TEXT, max_size=3).map(tuple),
    TEXT,
)
REF = st.integers(-1, 9)
STATE = st.builds(Snapshot, TEXT, TEXT, st.lists(ROW, max_size=4), REF, REF, changed=st.none())
ACTION = st.builds(Action, TEXT, st.integers(-1, 95), st.integers(-1, 11), TEXT)
STEP = st.builds(
    Step,
    st.just(0),
    st.sampled_from(TYPES),
    STATE,
    *[st.integers(-5, 3000)] * 2,
    *[st.integers(0, 3)] * 2,
    st.characters(categories=["Cs", "L"]),  # of a pair of surrogates a keyboard may send one half
    TEXT,
    st.integers(0, 15),
    st.integers(-1, 95),
    st.booleans(),
    st.none() | ACTION,
)
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)
DEMONSTRATION = st.builds(
    Demonstration,
    TEXT,
    st.none() | st.integers(0, 2**40),
    st.dictionaries(TEXT, TEXT, max_size=2),
    TEXT,
    PAIRS,
    st.tuples(st.integers(0, 999), st.integers(0, 999)),
    TEXT,
    TEXT,
    st.lists(STEP, max_size=5).map(tuple),
    st.none() | PAIRS,
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.dictionaries(TEXT, TEXT, max_size=2),
    TEXT,
    st.dictionaries(TEXT, st.integers(), max_size=2),
)
LINK = Row("a", "", "go", "", 1, 2, 30, 10, False, False, False, False, False, (), "big")
ONE = Demonstration(
    "WoB-Login-v0",
    3,
    {},
    "Log in.",
    (("user", "Ann"),),
    (160, 210),
    "human",
    "somebody",
    tuple(
        Step(10 * number, "mousemove", Snapshot("", "Login", [LINK, None], number, -1), x=number)
        for number in range(4)
    ),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(DEMONSTRATION, min_size=1, max_size=3), st.sampled_from([".jsonl", ".jsonl.xz"]))
def test_what_is_written_is_read(tmp_path_factory, demonstrations, suffix):
    path = tmp_path_factory.mktemp("round") / f"trip{suffix}"
    write_demonstrations(path, demonstrations)
    assert list(read_demonstrations(path)) == demonstrations


def test_only_changes_take_room(tmp_path):
    path = write_demonstrations(tmp_path / "one.jsonl", [ONE])
    header, first, second, *_ = [json.loads(line) for line in path.read_text().splitlines()]
    assert header["env_id"] == "WoB-Login-v0"
    assert first["state"] == {
        "title": "Login",
        "focus": 0,
        "count": 2,
        "rows": {"0": [*LINK[:-2], [], "big"]},
    }
    assert second["state"] == {"focus": 1}
    assert first["hash"] != second["hash"]


@pytest.mark.parametrize("seed", range(40))
def test_a_changed_byte_is_refused_by_its_line(seed, tmp_path):
    path = write_demonstrations(tmp_path / "one.jsonl", [ONE, ONE])
    data, chance = bytearray(path.read_bytes()), random.Random(seed)
    place = chance.randrange(len(data) - 1)
    data[place] = data[place] ^ (1 << chance.randrange(7))
    path.write_bytes(data)
    number = data[:place].count(b"\n") + 1
    with pytest.raises(InputError, match=rf"one.jsonl, line {number}: "):
        list(read_demonstrations(path))


def test_a_missing_or_moved_line_is_refused(tmp_path):
    path = write_demonstrations(tmp_path / "one.jsonl", [ONE])
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2] + lines[3:]))
    with pytest.raises(InputError, match=r"line 3: it has been changed .* or a line before"):
        list(read_demonstrations(path))
    path.write_text("".join([*lines[:2], lines[3], lines[2], *lines[4:]]))
    with pytest.raises(InputError, match="line 3: "):
        list(read_demonstrations(path))


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.xz"])
def test_a_file_that_is_cut_off_is_refused(suffix, tmp_path):
    path = write_demonstrations(tmp_path / f"one{suffix}", [ONE])
    data = path.read_bytes()
    for left in range(0, len(data) - 1, 7):
        path.write_bytes(data[:left])
        with pytest.raises(InputError, match=r"line \d+: |is empty"):
            list(read_demonstrations(path))


def resealed(path, change):
    """Changes a line as somebody would who also knows how to compute the checksums."""
    from envs.web.demonstration_file import _CHECK, _checksum

    check, lines = "", []
    for number, line in enumerate(path.read_text().splitlines()):
        body = json.loads(line)
        del body["check"]
        text = json.dumps(change(number, body))[:-1]
        check = _checksum(check, text)
        lines.append(f'{text}{_CHECK}{check}"}}\n')
    path.write_text("".join(lines))


@pytest.mark.parametrize(
    ("number", "change", "message"),
    [
        (0, {"format": 2}, "line 1: format 2; this version reads format 1"),
        (0, {"gymworks": "result"}, "line 1: a demonstration should begin here"),
        (0, {"viewport": [1]}, "line 6: it is no line"),
        (0, {"fields": [["a", 1]]}, "a text is 1; allowed: str"),
        (1, {"type": "wink"}, "line 2: unknown type of step 'wink'"),
        (2, {"x": "left"}, "line 3: x is 'left'; allowed: int"),
        (2, {"hash": "0" * 16}, "line 3: the state's hash is"),
        (3, {"time": 5}, "line 4: time 5 comes after 10"),
        (2, {"time": None}, "time is None"),
        (1, {"state": {"count": 2, "rows": {"0": [1]}}}, "line 2: .* is no row"),
        (2, {"action": ["click"]}, "line 3: it is no line of a demonstration"),
        (1, {"state": {"count": 10**12}}, "line 2: count is 1000000000000; allowed: 0 to 100000"),
        (1, {"state": {"count": -1}}, "line 2: count is -1"),
        (1, {"state": {"count": 0, "rows": {"0": None}}}, "line 2: it is no line"),
        (0, {"score": 10**400}, "line 6: it is no line of a demonstration"),
        (5, {"end": 3}, "line 6: the demonstration is cut off"),
    ],
)
def test_nonsense_under_a_right_checksum_is_refused(number, change, message, tmp_path):
    path = write_demonstrations(tmp_path / "one.jsonl", [ONE])
    resealed(path, lambda line, body: body | change if line == number else body)
    with pytest.raises(InputError, match=message):
        list(read_demonstrations(path))


def test_other_files_are_refused(tmp_path):
    for name, data, message in (
        ("a.jsonl", b"", "is empty"),
        ("b.jsonl", b"\xff\xfe\n", "line 1: it is cut off or no line"),
        ("c.jsonl", b"[]\n", "line 1: "),
        ("d.jsonl.xz", b"plain", "after line 0: "),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=message):
            list(read_demonstrations(tmp_path / name))
    with pytest.raises(InputError, match="No such file"):
        list(read_demonstrations(tmp_path / "none.jsonl"))


def test_nothing_is_replaced_or_half_written(tmp_path):
    path = write_demonstrations(tmp_path / "one.jsonl", [ONE])
    with pytest.raises(InputError, match="--force"):
        write_demonstrations(path, [ONE, ONE])
    assert list(read_demonstrations(path)) == [ONE]
    with pytest.raises(ZeroDivisionError):
        write_demonstrations(path, (ONE for _ in range(1 // 0)), force=True)

    def broken():
        yield ONE
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_demonstrations(path, broken(), force=True)
    assert os.listdir(tmp_path) == ["one.jsonl"]
    assert list(read_demonstrations(path)) == [ONE]
    with pytest.raises(InputError, match="cannot be written: "):
        write_demonstrations(path / "inside.jsonl", [ONE])
    with pytest.raises(InputError, match=r"allowed: \*.jsonl, \*.jsonl.xz"):
        write_demonstrations(tmp_path / "one.txt", [ONE])


def test_folders_stand_for_their_files(tmp_path):
    write_demonstrations(tmp_path / "b.jsonl", [ONE])
    write_demonstrations(tmp_path / "a.jsonl.xz", [ONE])
    (tmp_path / "notes.txt").write_text("none")
    (tmp_path / "empty").mkdir()
    names = [path.name for path in demonstration_files([tmp_path, tmp_path / "b.jsonl"])]
    assert names == ["a.jsonl.xz", "b.jsonl", "b.jsonl"]
    with pytest.raises(InputError, match="has no demonstrations"):
        demonstration_files([tmp_path / "empty"])
    with pytest.raises(InputError, match="does not exist"):
        demonstration_files([tmp_path / "none"])
    with lzma.open(tmp_path / "a.jsonl.xz") as file:
        assert file.read() == (tmp_path / "b.jsonl").read_bytes()
