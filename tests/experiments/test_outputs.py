"""Outputs of every verb: refused before any work, in one sentence; what exists is kept."""

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from typer.main import get_group

from experiments import cli, options
from experiments.cli import app, main
from experiments.verbs import paths
from hardware_sim.errors import InputError
from hardware_sim.files import check_writable, unfinished, write_text

NOBODY = 65534
SUFFIXES = {"watch": ".gif", "web replay": ".gif", "dance chart": ".sm", "dance picture": ".png"}
PLACE = ("place", "inception_v3", "--method", "heft")


def commands() -> dict[str, Any]:
    """Every verb's command by its words."""
    root: Any = get_group(app)
    found = {}
    for words in paths(root):
        command = root
        for word in words:
            command = command.load(word) if hasattr(command, "load") else command.commands[word]
        found[" ".join(words)] = command
    return found


def outputs() -> Iterator[tuple[str, Any]]:
    for verb, command in commands().items():
        for parameter in command.params:
            if {"-o", "--picture"} & set(parameter.opts):
                yield verb, parameter


FILES = [
    pytest.param(verb, parameter.opts[0], id=f"{verb} {parameter.opts[0]}")
    for verb, parameter in outputs()
    if not verb.startswith(("web record", "web import", "web demonstrate", "web export"))
]


@pytest.fixture
def gymworks(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Callable[..., tuple[int, str]]:
    """Runs the command line here: its exit status and what it prints on standard error."""

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["gymworks", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().err

    return run


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """A disk on which no file has room for more bytes than these."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def is_sentence(told: tuple[int, str]) -> bool:
    """True for exit status 2 and one line on standard error."""
    return told[0] == 2 and told[1].startswith("gymworks: ") and told[1].count("\n") == 1


def test_every_output_is_checked_and_can_be_forced() -> None:
    found = dict(outputs())
    assert {"evaluate", "report", "watch", "place", "tune", "softmax", "compact"} <= set(found)
    assert {f"dance {verb}" for verb in ("chart", "preview", "picture", "quantiles")} <= set(found)
    assert {f"web {verb}" for verb in ("record", "import", "export", "demonstrate")} <= set(found)
    for verb, parameter in outputs():
        assert parameter.callback is not None, verb
        assert any("--force" in other.opts for other in commands()[verb].params), verb


@pytest.mark.parametrize(("verb", "option"), FILES)
def test_what_cannot_be_written_is_refused_first(
    verb: str, option: str, tmp_path: Path, gymworks: Callable[..., tuple[int, str]]
) -> None:
    """Before other arguments are even looked at, so that no work was done for it."""
    suffix = ".png" if option == "--picture" else SUFFIXES.get(verb, ".json")
    there = tmp_path / f"there{suffix}"
    there.write_text("mine")
    (tmp_path / f"folder{suffix}").mkdir()
    for place, reason in (
        (there / f"x{suffix}", "cannot be written: Not a directory"),
        (tmp_path / f"folder{suffix}", "cannot be written: Is a directory"),
        (tmp_path / f"{'x' * 300}{suffix}", "cannot be written: File name too long"),
        (Path("/proc") / f"x{suffix}", "cannot be written: "),
    ):
        told = gymworks(*verb.split(), option, place)
        assert is_sentence(told), told
        assert f"{place} {reason}" in told[1]
    if verb != "tune":  # which goes on with the plan that is there
        told = gymworks(*verb.split(), option, there)
        assert is_sentence(told), told
        assert f"{there} exists; it is replaced only with --force" in told[1]
    assert there.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"folder{suffix}", there.name]


@pytest.mark.parametrize("verb", ["watch", "web replay", "dance chart", "dance picture", "place"])
def test_an_unknown_kind_of_file_is_refused_first(
    verb: str, gymworks: Callable[..., tuple[int, str]]
) -> None:
    told = gymworks(*verb.split(), "--picture" if verb == "place" else "-o", "picture.xyz")
    assert is_sentence(told), told
    assert "unknown kind of file '.xyz'" in told[1]


@pytest.mark.parametrize("verb", ["record", "import", "demonstrate", "export"])
def test_a_folder_that_cannot_be_made_is_refused_first(
    verb: str, tmp_path: Path, gymworks: Callable[..., tuple[int, str]]
) -> None:
    (tmp_path / "file").touch()
    told = gymworks("web", verb, "-o", tmp_path / "file" / "folder" / "data")
    assert is_sentence(told), told
    assert "cannot be written: Not a directory" in told[1]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_of_somebody_else_is_refused_first(
    tmp_path: Path, gymworks: Callable[..., tuple[int, str]]
) -> None:
    os.seteuid(NOBODY)
    try:
        told = gymworks(*PLACE, "-o", tmp_path / "plan.json")
    finally:
        os.seteuid(0)
    assert is_sentence(told), told
    assert f"{tmp_path}/plan.json cannot be written: Permission denied" in told[1]


def test_a_missing_folder_is_made(tmp_path: Path, gymworks: Callable[..., tuple[int, str]]) -> None:
    plan, picture = tmp_path / "a" / "plan.json", tmp_path / "b" / "plan.svg"
    assert gymworks(*PLACE, "--quiet", "-o", plan, "--picture", picture) == (0, "")
    assert json.loads(plan.read_text())["method"] == "heft"
    assert "<svg" in picture.read_text()


def test_force_replaces(tmp_path: Path, gymworks: Callable[..., tuple[int, str]]) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text("mine")
    assert gymworks(*PLACE, "--quiet", "-o", plan, "--force") == (0, "")
    assert json.loads(plan.read_text())["method"] == "heft"


@pytest.mark.parametrize(
    "arguments",
    [
        (*PLACE, "-o", "out.json"),
        (*PLACE, "--picture", "out.png"),
        # The memory that an agent's process shares counts as a file here.
        ("evaluate", "CartPole-v1", "--agent", "random", "--in-process", "-o", "out.json"),
        (
            "watch",
            "DevicePlacement-InceptionV3-v0",
            "--agent",
            "heft",
            "--every",
            "99",
            "-o",
            "out.gif",
        ),
        ("report", "made.json", "-o", "out.html"),
    ],
    ids=lambda arguments: f"{arguments[0]} {arguments[-1]}",
)
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gymworks: Callable[..., tuple[int, str]],
) -> None:
    monkeypatch.chdir(tmp_path)
    if arguments[0] == "report":
        evaluate = ("evaluate", "CartPole-v1", "--agent", "random", "--seeds", "0", "--quiet")
        assert gymworks(*evaluate, "-o", "made.json") == (0, "")
    before = sorted(tmp_path.iterdir())
    with largest_file(100):
        told = gymworks(*arguments, *(() if arguments[0] == "report" else ("--quiet",)))
    assert is_sentence(told), told
    assert re.search(rf"{arguments[-1]}(.partial)? cannot be written: File too large", told[1])
    assert sorted(tmp_path.iterdir()) == before


def test_a_result_that_finds_no_room_is_kept_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gymworks: Callable[..., tuple[int, str]]
) -> None:
    """A full device, which no check beforehand can find."""
    monkeypatch.setattr(options.tempfile, "tempdir", str(tmp_path))
    told = gymworks(*PLACE, "--quiet", "-o", "/dev/full")
    assert is_sentence(told), told
    assert "/dev/full cannot be written: No space left on device; it is kept in " in told[1]
    (kept,) = tmp_path.glob("gymworks-*/full")
    assert str(kept) in told[1]
    assert json.loads(kept.read_text())["method"] == "heft"
    assert not Path("/dev/full").is_file()


def test_a_second_evaluation_keeps_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gymworks: Callable[..., tuple[int, str]]
) -> None:
    monkeypatch.chdir(tmp_path)
    evaluate = ("evaluate", "CartPole-v1", "--seeds", "0", "--quiet", "--agent")
    assert gymworks(*evaluate, "random") == (0, "")
    before = Path("result.json").read_bytes()
    told = gymworks(*evaluate, "no such agent")  # refused before the agent is looked for
    assert is_sentence(told), told
    assert "result.json exists; it is replaced only with --force" in told[1]
    assert Path("result.json").read_bytes() == before
    assert gymworks(*evaluate, "random", "--force") == (0, "")


def test_standard_output_without_room_is_one_sentence(tmp_path: Path) -> None:
    code = "from experiments.cli import main; main()"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, "place", "--list"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr == "gymworks: standard output cannot be used: No space left on device\n"


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault() -> NoReturn:
        raise FileNotFoundError(2, "No such file or directory", "ours")

    monkeypatch.setattr(sys, "argv", ["gymworks"])
    monkeypatch.setattr(cli, "app", fault)
    with pytest.raises(FileNotFoundError):
        main()


def test_checking_leaves_nothing_and_a_kill_leaves_what_can_be_found(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"
    assert check_writable(path) == path
    assert list(tmp_path.iterdir()) == []
    write_text(path, "whole")
    left = path.with_name(".b.json.ab12_x9z")
    left.touch()
    assert unfinished(path.parent) == [left]
    with pytest.raises(InputError, match=r"b\.json/c cannot be written: "):
        write_text(path / "c", "")
