"""Public MiniWoB demonstrations, from a file of the same shape made by hand."""

import json
import lzma
import re

import pytest
from typer.testing import CliRunner

from envs.web.actions import Action
from envs.web.demonstration_file import read_demonstrations, write_demonstrations
from envs.web.factoring import to_actions
from envs.web.miniwob_recordings import read_miniwob
from experiments.web.verbs import app
from hardware_sim.errors import InputError


def element(tag, ref, children=(), **more):
    box = {"left": 2 * ref, "top": 3.4, "width": 20.0, "height": 10, "id": "", "classes": ""}
    return {"tag": tag, "ref": ref, "children": list(children)} | box | more


def page(value="", target=0, ticked=False, focused=0, extra=()):
    """A form of the recorder's kind: a text input, a box, a button and words in between."""
    inside = [
        element("INPUT_text", 3, value=value, text=""),
        element("INPUT_checkbox", 4, value=ticked),
        element("BUTTON", 5, text="  Submit\n it "),
        element("t", 0, text="one"),
        element("t", 0, text="two"),
        *extra,
    ]
    for each in inside:
        if target and each["ref"] == target:
            each["recordingTarget"] = True
        if focused and each["ref"] == focused:
            each["focused"] = True
    return element("BODY", 1, [element("DIV", 2, inside)], focused=not focused)


def around(time, kind, before, after, **more):
    """An event as the recorder notes it: the page before it and after it."""
    action = {"type": kind, **more}
    return [
        {"time": time, "action": action | {"timing": 1}, "dom": before},
        {"time": time + 2, "action": action | {"timing": 3}, "dom": after},
    ]


def typing():
    """Somebody clicks into the input, types "Ann", ticks the box and submits."""
    states = [{"time": 3, "action": None, "dom": page()}]
    for time, kind in ((100, "mousedown"), (150, "mouseup"), (151, "click")):
        states += around(time, kind, page(target=3, focused=3 * (time > 100)), page(), x=812, y=9)
    for place, letter in enumerate("Ann"):
        before, after = "Ann"[:place], "Ann"[: place + 1]
        code = {"keyCode": ord(letter.upper()), "charCode": 0}
        here = page(before, target=3, focused=3)
        states += around(200 + 50 * place, "keydown", here, here, **code)
        pressed = {"keyCode": ord(letter), "charCode": ord(letter)}
        states += around(210 + 50 * place, "keypress", here, here, **pressed)
        states += around(220 + 50 * place, "keyup", page(after, 3, focused=3), page(after), **code)
    for target, time in ((4, 400), (5, 500)):
        ticked = target == 5
        more = [element("DIALOG", 9)] if target == 5 else []
        here = page("Ann", target, ticked, extra=more)
        states += around(time, "mousedown", here, here, x=1, y=1)
        states += around(time + 9, "mouseup", here, here, x=1, y=1)
    return {
        "utterance": "Enter Ann and submit.",
        "fields": {"name": "ann"},
        "reward": 0.7,
        "rawReward": 1,
        "states": states,
        "_round": "first",
        "_file": "x.json",
    }


FLIGHT = {
    "utterance": '{"Departure City":"Oslo","Departure Day":25}',
    "reward": 0,
    "rawReward": 0.25,
    "states": [{"time": 0, "action": {"type": "scroll", "timing": 2}, "dom": page()}],
}
EMPTY = {"utterance": "Click.", "reward": -1, "rawReward": -1, "states": []}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "enter-text.jsonl.xz"
    with lzma.open(path, "wt") as packed:
        packed.writelines(json.dumps(given) + "\n" for given in (typing(), FLIGHT, EMPTY))
    return path


def test_demonstrations_become_ours(file):
    typed, flight, empty = read_miniwob(file)
    assert (typed.env_id, typed.foreign, typed.source) == ("miniwob/enter-text", True, "human")
    assert (typed.score, typed.success) == (1, True)
    assert typed.notes == {"reward": 0.7, "round": "first", "file": "x.json"}
    assert typed.fields == (("name", "ann"),)
    assert flight.fields == (("Departure City", "Oslo"), ("Departure Day", "25"))
    assert (flight.score, flight.success) == (0.25, False)
    assert [step.type for step in flight.steps] == ["scroll", "end"]
    assert (empty.steps, empty.score) == ((), -1)


def test_events_keep_their_target_and_the_page_before(file):
    typed, *_ = read_miniwob(file)
    kinds = [step.type for step in typed.steps]
    assert kinds[:6] == ["mousedown", "mouseup", "click", "keydown", "keypress", "keyup"]
    first, key, last = typed.steps[0], typed.steps[4], typed.steps[-1]
    row = first.state.rows[first.target]
    assert (row.tag, row.type, row.value, row.left, row.top) == ("input", "text", "", 6, 3)
    assert (first.x, first.y, first.time, first.state.focus) == (812, 9, 100, -1)
    assert (key.key, key.code, key.state.focus) == ("A", "65", first.target)
    assert last.state.rows[first.target].value == "Ann"
    button, one, two = last.state.rows[4:7]
    assert (button.text, one.text, two.text) == ("Submit it", "one", "two")
    assert last.state.rows[3].checked
    assert last.state.rows[7].tag == "dialog"
    assert len(first.state.rows) == 7
    times = [step.time for step in typed.steps]
    assert times == sorted(times)


def test_they_are_written_and_become_actions(file, tmp_path):
    path = write_demonstrations(tmp_path / "ours.jsonl.xz", read_miniwob(file))
    assert list(read_demonstrations(path)) == list(read_miniwob(file))
    typed, *_ = read_demonstrations(path)
    decisions, unmapped = to_actions(typed)
    assert unmapped == []
    assert [decision.action for decision in decisions] == [
        Action("type", 2, 0),
        Action("click", 3),
        Action("click", 4),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{}", "line 2: no MiniWoB demonstration .*utterance"),
        ("nonsense", "line 2: no MiniWoB demonstration"),
        ('{"utterance": "x", "rawReward": 1, "states": [{}]}', "line 2: .*time"),
        (json.dumps(FLIGHT).replace("scroll", "fly"), "line 2: .*unknown event 'fly'"),
    ],
)
def test_other_lines_are_refused(line, message, tmp_path):
    path = tmp_path / "task.jsonl"
    path.write_text(json.dumps(EMPTY) + f"\n{line}\n")
    with pytest.raises(InputError, match=message):
        list(read_miniwob(path))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_miniwob(tmp_path / "none.jsonl"))
    (tmp_path / "cut.jsonl.xz").write_bytes(lzma.compress(b"{}\n" * 9)[:-9])
    with pytest.raises(InputError, match=r"cut.jsonl.xz, "):
        list(read_miniwob(tmp_path / "cut.jsonl.xz"))


def test_the_verb_imports_and_counts_them(file, tmp_path):
    words = ["import", str(file), "-o", str(tmp_path / "ours")]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0, shown.output
    assert re.search(r"1 tasks +│ 3 +│ \d+ +│ 1", shown.stdout)
    kept = list(read_demonstrations(tmp_path / "ours" / "enter-text.jsonl.xz"))
    steps = sum(len(each.steps) for each in kept)
    found = json.loads(CliRunner().invoke(app, [*words, "--force", "--json"]).stdout)
    counts = {"demonstrations": 3, "steps": steps, "successes": 1}
    assert found == {"output": str(tmp_path / "ours"), "tasks": {"enter-text": counts}}
    assert CliRunner().invoke(app, [*words, "--force", "--quiet"]).output == ""
