"""Options that many verbs share, and what they make of the output."""

import json
import re
from pathlib import Path

import pytest
from rich.table import Table
from typer.main import get_group
from typer.testing import CliRunner

import experiments
from experiments.cli import app
from experiments.options import aside, bar, print_json, printer
from experiments.verbs import paths

SCRIPTED = {
    "list", "demo", "train", "evaluate", "sweep", "benchmark", "verify", "place", "softmax",
    "compact", "tune", "doctor", "web replay", "web import", "web export", "web demonstrate",
    "dance chart", "dance judge", "dance ratings", "convert",
}  # fmt: skip
"""Verbs whose findings a script would read."""

QUIET = (SCRIPTED | {"report", "watch", "dance preview", "dance data"}) - {
    "list",
    "dance judge",
    "dance ratings",
}
"""Verbs that have more to show than what was asked for."""


def having(option):
    """The verbs that have an option."""
    found = set()
    for words in paths(get_group(app)):
        command = get_group(app)
        for word in words:
            command = command.load(word)
        if any(option in parameter.opts for parameter in command.params):
            found.add(" ".join(words))
    return found


def test_verbs_for_scripts_have_json_and_talkative_ones_quiet():
    assert having("--json") == SCRIPTED
    assert having("--quiet") == QUIET


def test_the_options_say_the_same_everywhere():
    runner = CliRunner()
    for verb in ("evaluate", "place", "web export"):
        text = runner.invoke(app, [*verb.split(), "--help"], env={"COLUMNS": "200"}).output
        assert "No progress, no text, only errors." in text
        assert "One JSON document instead of text." in text


def test_silence_and_the_place_of_what_passes(capsys):
    printer(silent=True).print("nothing")
    aside(quiet=True).print("nothing")
    with bar(quiet=True) as shown:
        shown.add_task("nothing", total=1)
    assert capsys.readouterr() == ("", "")
    printer().print("text " * 40)
    aside().print("progress")
    out, err = capsys.readouterr()
    assert out == "text " * 40 + "\n"
    assert err == "progress\n"


def test_tables_are_whole_where_no_terminal_is(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    table = Table(title="wide")
    for column in range(40):
        table.add_column(f"column {column}", justify="right")
    table.add_row(*(f"{column}.123456789" for column in range(40)))
    for soft_wrap in (True, False):
        printer(soft_wrap=soft_wrap).print(table)
        shown = capsys.readouterr().out
        assert "…" not in shown
        assert all(f"{column}.123456789" in shown for column in range(40))


def test_all_that_is_printed_goes_through_the_printer():
    """So that no table is cut to the width of a terminal that is not there."""
    folder = Path(experiments.__file__).parent
    own = re.compile(r"\bConsole\((?!stderr=True)")
    others = [path.name for path in folder.rglob("*.py") if own.search(path.read_text())]
    assert others == ["options.py"]


def test_json_is_one_document_of_finite_numbers(capsys):
    print_json({"a": [1.5, None]})
    assert json.loads(capsys.readouterr().out) == {"a": [1.5, None]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"a": float("nan")})


def test_verbs_that_play_take_splits_options_and_arguments():
    playing = {"train", "sweep", "evaluate", "watch", "benchmark"}
    assert having("--option") == having("--env") == playing
    assert having("--split") >= playing
