"""Names of the form ``module:attribute``: found, moved, and refused."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hardware_sim import naming
from hardware_sim.errors import InputError, choose
from hardware_sim.naming import resolve


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module that only the working folder has."""
    (tmp_path / "only_here.py").write_text("class Box:\n    size = 3\n")
    (tmp_path / "broken_here.py").write_text("import no_such_library\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [path for path in sys.path if path])
    yield "only_here"
    sys.modules.pop("only_here", None)


def test_a_name_gives_its_object() -> None:
    assert resolve("hardware_sim.errors:choose") is choose


def test_an_attribute_may_have_dots() -> None:
    assert resolve("pathlib:Path.cwd")() == Path.cwd()


def test_modules_of_the_working_folder_are_found_when_asked_for(mine: str) -> None:
    with pytest.raises(InputError, match="cannot be found: No module named 'only_here'"):
        resolve(f"{mine}:Box")
    assert resolve(f"{mine}:Box.size", working_folder=True) == 3
    assert resolve(f"{mine}:Box.size") == 3


@pytest.mark.parametrize(
    "name",
    [
        "",
        "choose",
        "hardware_sim.errors",
        ":choose",
        "errors:",
        "a:b:c",
        "hardware_sim..errors:choose",
        "envs:Name-v0",
        "1a:b",
        "a:b ",
    ],
)
def test_other_forms_are_refused(name: str) -> None:  # fmt: skip
    with pytest.raises(InputError, match=r"agent '.*' is not of the form module:attribute"):
        resolve(name, "agent")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:a", "critic 'no_such_module:a' cannot be found: No module named"),
        ("hardware_sim.errors:none", "cannot be found: module .* has no attribute 'none'"),
        ("pathlib:Path.none", "cannot be found: .* has no attribute 'none'"),
        ("broken_here:a", "cannot be found: No module named 'no_such_library'"),
    ],
)
def test_what_is_not_there_is_named(mine: str, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve(name, "critic", working_folder=True)


def test_old_names_find_what_has_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(naming.MOVED, "old.errors", "hardware_sim.errors")
    monkeypatch.setitem(naming.MOVED, "old.errors:Wrong", "hardware_sim.errors:InputError")
    assert resolve("old.errors:choose") is choose
    assert resolve("old.errors:Wrong") is InputError


def test_every_moved_name_leads_somewhere() -> None:
    for old, new in naming.MOVED.items():
        assert (":" in old) == (":" in new)
        assert naming.current(new if ":" in new else f"{new}:x").startswith(new)
