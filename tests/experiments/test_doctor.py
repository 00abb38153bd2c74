"""The doctor finds what is there, and has a remedy for what is not."""

import json
import os
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import agents
import envs
from experiments import doctor

ROOT = Path(__file__).resolve().parents[2]


def run(cwd: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "experiments.doctor", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def findings(cwd: Path, **environment: str) -> tuple[int, dict[str, dict[str, str]]]:
    code, text = run(cwd, "--json", **environment)
    return code, {finding["check"]: finding for finding in json.loads(text)}


def test_our_packages_lie_beside_setup_cfg() -> None:
    for package in (envs, agents):
        assert Path(package.__file__).parents[1] == ROOT
    assert (ROOT / "setup.cfg").exists()


def test_a_healthy_machine_has_no_failure(tmp_path: Path) -> None:
    code, seen = findings(ROOT)
    assert code == 0
    assert {finding["status"] for finding in seen.values()} <= {"ok", "warn"}
    assert seen["package envs"]["seen"] == str(ROOT / "envs")
    assert "gymnasium" in seen["libraries, core"]["seen"]
    for finding in seen.values():
        assert bool(finding["remedy"]) == (finding["status"] != "ok")


def test_every_extra_is_of_use_to_some_code() -> None:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    source = "\n".join(
        path.read_text()
        for floor in ("hardware_sim", "envs", "agents", "experiments")
        for path in (ROOT / floor).rglob("*.py")
    )
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", source, re.M))
    extras = config["options.extras_require"]
    for extra in set(extras) - {"dev", "all"}:
        names = [Requirement(line).name for line in extras[extra].split("\n") if line]
        assert imported.intersection(names), extra


def test_each_finding_is_a_line(tmp_path: Path) -> None:
    code, text = run(tmp_path)
    assert code == 0
    assert [line for line in text.splitlines() if line.startswith("ok    python  ")]


def test_quiet_leaves_failures(tmp_path: Path) -> None:
    assert run(ROOT, "--quiet") == (0, "")
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs" / "__init__.py").touch()
    code, text = run(tmp_path, "--quiet")
    assert code == 1
    assert text.startswith("fail  package envs")
    assert "ok  " not in text


@pytest.mark.parametrize("name", ["envs", "agents"])
def test_a_strangers_package_fails_with_its_remedy(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise RuntimeError('not ours')\n")
    code, seen = findings(tmp_path)
    assert code == 1
    finding = seen[f"package {name}"]
    assert finding["status"] == "fail"
    assert finding["seen"] == f"a stranger's, at {tmp_path / name}; ours is {ROOT / name}"
    assert f"rename or remove {tmp_path / name}" in finding["remedy"]
    assert seen["package experiments"]["status"] == "ok"


def test_a_strangers_installed_package_is_to_be_uninstalled(tmp_path: Path) -> None:
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs" / "__init__.py").touch()
    info = tmp_path / "envs-1.4.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: envs\nVersion: 1.4\n")
    (info / "top_level.txt").write_text("envs\n")
    code, seen = findings(tmp_path)
    assert code == 1
    assert seen["package envs"]["remedy"].startswith("pip uninstall envs, or")


def test_no_compiler_and_no_browser_are_warnings(tmp_path: Path) -> None:
    code, seen = findings(ROOT, PATH=str(tmp_path), CC="")
    assert code == 0
    for check, package in (("C compiler", "gcc"), ("browser", "chromium-driver")):
        assert seen[check]["status"] == "warn"
        assert (
            f"apt-get install {'chromium ' if check == 'browser' else ''}{package}"
            in (seen[check]["remedy"])
        )


def test_a_compiler_that_does_not_compile_is_a_warning(tmp_path: Path) -> None:
    _, seen = findings(ROOT, CC=shutil.which("true") or "/bin/true")
    assert seen["C compiler"]["status"] == "warn"
    assert "does not work" in seen["C compiler"]["seen"]


def script(folder: Path, name: str, output: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{output}'\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("driver", "status"),
    [("ChromeDriver 141.0.7 (abc)", "ok"), ("ChromeDriver 120.0.1 (abc)", "warn")],
)
def test_browser_and_driver_must_fit_together(tmp_path: Path, driver: str, status: str) -> None:
    script(tmp_path, "chromium", "Chromium 141.0.7390.54 built on Debian")
    script(tmp_path, "chromedriver", driver)
    _, seen = findings(ROOT, PATH=f"{tmp_path}:/bin")
    assert seen["browser"]["status"] == status


def test_a_missing_core_library_fails() -> None:
    wanted = doctor._Requirements(">=3.11", [Requirement("no-such-library")], {})
    (finding,) = doctor._libraries(wanted)
    assert (finding.status, finding.seen) == ("fail", "no-such-library is not installed")
    assert "pip install" in finding.remedy


def test_a_wrong_version_in_an_extra_warns() -> None:
    wanted = doctor._Requirements(">=3.11", [], {"web": [Requirement("typer>=99")]})
    (finding,) = doctor._libraries(wanted)
    assert finding.status == "warn"
    assert finding.seen.endswith("needed is >=99")
    assert finding.remedy.endswith('-e ".[web]"')


def test_another_python_fails() -> None:
    assert doctor._python(">=3.99").status == "fail"


def test_a_full_disk_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "DISK_WARN_GB", 1e9)
    assert doctor._disk(tmp_path).status == "warn"
    monkeypatch.setattr(doctor, "DISK_FAIL_GB", 1e9)
    assert doctor._disk(tmp_path).status == "fail"


def test_compiled_code_needs_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    assert doctor._numba_cache().remedy.startswith("set NUMBA_CACHE_DIR")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "new"))
    assert doctor._numba_cache().status == "ok"
    assert not (tmp_path / "new").exists()
