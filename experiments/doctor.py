"""``gymworks doctor``: checks this machine, and shows what is missing and what to do about it.

It imports nothing of the other packages, so that it still works when they are the trouble:
``python -m experiments.doctor``.
"""

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Literal

import typer
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from experiments.options import AsJson, Quiet, print_json, printer
from hardware_sim.commands import run

HOME = Path(__file__).resolve().parents[1]
"""The folder that holds our packages: the checkout, or site-packages."""

PACKAGES = ("hardware_sim", "envs", "agents", "experiments")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "firefox")
DRIVERS = {"firefox": "geckodriver"}
DISK_FAIL_GB, DISK_WARN_GB = 0.2, 2.0


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Attributes:
        check: Name of the check.
        status: ``"fail"`` where gymworks does not work, ``"warn"`` where a part of it does not.
        seen: The finding.
        remedy: A remedy; empty where there is nothing to do.
    """

    check: str
    status: Literal["ok", "warn", "fail"]
    seen: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Every finding, in the order in which they are shown."""
    requirements = _requirements()
    return [
        _python(requirements.python),
        *(_package(name) for name in PACKAGES),
        *_libraries(requirements),
        _compiler(),
        _browser(),
        _gpu(),
        _numba_cache(),
        _disk(Path.cwd()),
    ]


def strangers() -> list[Finding]:
    """Failures of our packages' names: those that somebody else's package would answer to."""
    return [finding for finding in map(_package, PACKAGES) if finding.status == "fail"]


@dataclass(frozen=True)
class _Requirements:
    python: str
    core: list[Requirement]
    extras: dict[str, list[Requirement]]


def _requirements() -> _Requirements:
    """From setup.cfg beside the packages, or from the metadata of the installed distribution."""
    path = HOME / "setup.cfg"
    if path.exists():
        config = ConfigParser()
        config.read(path)
        options = config["options"]
        return _Requirements(
            options["python_requires"],
            _parse(options["install_requires"].split("\n")),
            {
                name: _parse(text.split("\n"))
                for name, text in config["options.extras_require"].items()
            },
        )
    distribution = metadata.distribution("gymworks")
    lines = [Requirement(line) for line in distribution.requires or ()]
    extras = distribution.metadata.get_all("Provides-Extra") or []
    return _Requirements(
        distribution.metadata["Requires-Python"],
        [line for line in lines if line.marker is None],
        {
            extra: [
                line for line in lines if line.marker and line.marker.evaluate({"extra": extra})
            ]
            for extra in extras
        },
    )


def _parse(lines: list[str]) -> list[Requirement]:
    return [Requirement(line) for line in lines if line.strip()]


def _python(wanted: str) -> Finding:
    version = platform.python_version()
    if SpecifierSet(wanted).contains(version):
        return Finding("python", "ok", version)
    remedy = f"install Python {wanted} and make a new virtual environment with it"
    return Finding("python", "fail", f"{version}, needed is {wanted}", remedy)


def _package(name: str) -> Finding:
    """Checks that ``import name`` gives our package: PyPI has other ones of the same names."""
    check = f"package {name}"
    spec = util.find_spec(name)
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        return Finding(check, "fail", "not found", f"run in {HOME}, or install gymworks again")
    found = Path(places[0]).resolve()
    if found == HOME / name:
        return Finding(check, "ok", str(found))
    owners = set(metadata.packages_distributions().get(name, [])) - {"gymworks"}
    remedy = (
        f"pip uninstall {' '.join(sorted(owners))}, or use a virtual environment without it"
        if owners
        else f"rename or remove {found}, take {found.parent} off PYTHONPATH, or run in {HOME}"
    )
    return Finding(check, "fail", f"a stranger's, at {found}; ours is {HOME / name}", remedy)


def _libraries(requirements: _Requirements) -> Iterator[Finding]:
    """One finding for the core, one for each extra."""
    for name, wanted in {"core": requirements.core, **requirements.extras}.items():
        # An extra made of other extras ("all", "dev") adds nothing to them.
        lines = [line for line in wanted if line.name != "gymworks"]
        if not lines:
            continue
        seen = [text for text in map(_installed, lines) if text]
        missing = [text for text in map(_missing, lines) if text]
        yield Finding(
            f"libraries, {name}",
            "ok" if not missing else "fail" if name == "core" else "warn",
            ", ".join(missing or seen),
            _install(name) if missing else "",
        )


def _install(extra: str) -> str:
    """The command that installs the core or an extra: from the checkout, where there is one."""
    suffix = "" if extra == "core" else f"[{extra}]"
    if (HOME / "constraints.txt").exists():
        return f'in {HOME}: pip install -c constraints.txt -e ".{suffix}"'
    return f'pip install "gymworks{suffix}"'


def _version(requirement: Requirement) -> str | None:
    try:
        return metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return None


def _installed(requirement: Requirement) -> str:
    version = _version(requirement)
    return f"{requirement.name} {version}" if version else ""


def _missing(requirement: Requirement) -> str:
    """The fault of a requirement; empty if it is met."""
    version = _version(requirement)
    if version is None:
        return f"{requirement.name} is not installed"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"{requirement.name} {version}, needed is {requirement.specifier}"
    return ""


def _compiler() -> Finding:
    """Compiles and runs a program of one line."""
    remedy = "apt-get install gcc libc6-dev (kernel tuning compiles what it measures)"
    compiler = os.environ.get("CC") or next(filter(shutil.which, ("cc", "gcc", "clang")), "")
    if not compiler:
        return Finding("C compiler", "warn", "none of cc, gcc and clang", remedy)
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "a.c"), Path(folder, "a")
        source.write_text("#include <math.h>\nint main(void) { return sqrt(49.0) == 7.0; }\n")
        command = [*compiler.split(), str(source), "-o", str(program), "-lm"]
        code, text = _run(*command)
        works = code == 0 and _run(str(program))[0] == 1
    if not works:
        message = (text.splitlines() or ["no message"])[0]
        return Finding("C compiler", "warn", f"{compiler} does not work: {message}", remedy)
    return Finding("C compiler", "ok", _run(*compiler.split(), "--version")[1].splitlines()[0])


def _browser() -> Finding:
    """A browser and a driver of the same major version."""
    remedy = "apt-get install chromium chromium-driver (web environments drive a real browser)"
    browser = next(filter(shutil.which, BROWSERS), None)
    if browser is None:
        return Finding("browser", "warn", "neither Chromium, Chrome nor Firefox", remedy)
    version = _run(browser, "--version")[1].strip()
    driver = DRIVERS.get(browser, "chromedriver")
    if shutil.which(driver) is None:
        return Finding("browser", "warn", f"{version}, but no {driver}", remedy)
    driven = _run(driver, "--version")[1].strip().partition("\n")[0]
    if browser not in DRIVERS and _major(version) != _major(driven):
        return Finding("browser", "warn", f"{version} and {driven} do not fit together", remedy)
    return Finding("browser", "ok", f"{version}; {driven.partition(' (')[0]}")


def _major(text: str) -> int:
    """The major version in text such as ``Chromium 141.0.1 built on Debian``; -1 without one."""
    numbers = (word for word in text.split() if word[0].isdigit())
    return Version(next(numbers, "-1").partition(".")[0]).major if text else -1


def _run(*command: str) -> tuple[int, str]:
    """Exit status and output; a program that cannot be run has status -1."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return -1, str(error)
    return done.returncode, done.stdout or done.stderr


def _gpu() -> Finding:
    """The GPU and torch's build; a CPU build is all that most environments need."""
    try:
        import torch
    except ImportError as error:
        return Finding("GPU", "fail", f"torch cannot be imported: {error}", "pip install torch")
    if torch.cuda.is_available():
        return Finding("GPU", "ok", f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}")
    if torch.version.cuda is None and shutil.which("nvidia-smi"):
        return Finding(
            "GPU",
            "warn",
            f"torch {torch.__version__} is a CPU build on a machine with a GPU",
            "nothing, or install a CUDA build of torch to train large networks on the GPU",
        )
    return Finding("GPU", "ok", f"none; torch {torch.__version__} works on the CPU, which is fine")


def _numba_cache() -> Finding:
    """The folder that keeps compiled simulators between runs."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "numba")
    places = [Path(chosen)] if chosen else [HOME / "hardware_sim" / "__pycache__", user]
    for place in places:
        if _writable(place):
            return Finding("compiled code", "ok", f"kept in {place}")
    return Finding(
        "compiled code",
        "warn",
        f"cannot be kept: {' and '.join(map(str, places))} cannot be written",
        "set NUMBA_CACHE_DIR to a folder that can, or every start compiles anew",
    )


def _writable(folder: Path) -> bool:
    """True if a file can be made in a folder, or the folder be made; leaves nothing."""
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free / 1e9
    seen = f"{free:.1f} GB free at {folder}"
    if free >= DISK_WARN_GB:
        return Finding("disk", "ok", seen)
    remedy = f"free some space: runs and their checkpoints want {DISK_WARN_GB:g} GB"
    return Finding("disk", "warn" if free >= DISK_FAIL_GB else "fail", seen, remedy)


def command(
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Check this machine: libraries, compiler, browser, GPU; show what to do about each."""
    findings = examine()
    failed = any(finding.status == "fail" for finding in findings)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        _print([finding for finding in findings if finding.status == "fail" or not quiet])
    if failed:
        raise typer.Exit(1)


def _print(findings: list[Finding]) -> None:
    console = printer()
    colours = {"ok": "green", "warn": "yellow", "fail": "red"}
    width = max((len(finding.check) for finding in findings), default=0)
    for finding in findings:
        console.print(f"{finding.status:<4}", style=colours[finding.status], end="  ")
        console.print(f"{finding.check:<{width}}  {finding.seen}", markup=False)
        if finding.remedy:
            console.print(f"{'':{width + 8}}-> {finding.remedy}", markup=False)


if __name__ == "__main__":
    run(command)
