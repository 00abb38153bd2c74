"""Sources of a report: the runs, results and sweeps behind the paths that a person names."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from agents.runs import Run
from experiments.report_runs import run_names
from experiments.results import Result, read_unchanged
from hardware_sim.errors import InputError
from hardware_sim.reading import read_json


@dataclass
class Sources:
    """The runs, results and sweeps to report.

    Attributes:
        runs: Training runs.
        results: Contents of result files.
        agents: The name of each result's agent; training runs that differ in their seed alone
            share one.
        sweeps: Folders of sweeps.
    """

    runs: list[Run] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    sweeps: list[Path] = field(default_factory=list)


def read_sources(paths: Iterable[Path]) -> Sources:
    """Reads files and, with all their folders, folders; what is there twice counts once.

    Raises:
        InputError: A path holds nothing to report; a result file is malformed or was changed; or
            an agent has two different results on one environment.
    """
    found = Sources()
    files: list[Path] = []
    for path in dict.fromkeys(path.resolve() for path in paths):
        before = len(found.runs) + len(found.sweeps) + len(files)
        if path.is_dir():
            _look(path, found, files)
        else:
            _need_result(path)
            files.append(path)
        if before == len(found.runs) + len(found.sweeps) + len(files):
            raise InputError(f"{path} holds neither a run, a sweep nor results")
    found.runs = list({run.folder: run for run in found.runs}.values())
    _read(found, list(dict.fromkeys(files)))
    return found


def _look(folder: Path, found: Sources, files: list[Path]) -> None:
    """Adds what a folder holds; runs and sweeps are wholes, other folders are looked through."""
    result = folder / "result.json"
    if result.is_file() and "trials" in _keys(result):
        found.sweeps.append(folder)
    elif (folder / "metrics.csv").is_file():
        found.runs.append(Run(folder))
        files += [result] if result.is_file() else []
    else:
        files += [path for path in sorted(folder.glob("*.json")) if "digest" in _keys(path)]
        for child in sorted(folder.iterdir()):
            if child.is_dir() and not child.is_symlink():
                _look(child, found, files)


def _keys(path: Path) -> set[str]:
    value = read_json(path)
    return set(value) if isinstance(value, dict) else set()


def _need_result(path: Path) -> None:
    if "episodes" not in _keys(path):
        raise InputError(f"{path} is no result file; gymworks evaluate -o writes one")


def _read(found: Sources, files: list[Path]) -> None:
    """Reads the result files, names their agents and refuses contradictions."""
    names = dict(zip((run.folder for run in found.runs), run_names(found.runs), strict=True))
    seen: dict[str, Path] = {}
    owners: dict[tuple[str, str], tuple[Path, Path | None]] = {}
    for path in files:
        result = read_unchanged(path)
        own = Path(result["agent"]).name == path.parent.name and path.parent in names
        agent = names[path.parent] if own else result["agent"]
        if result["agent"] + result["digest"] in seen:
            continue
        seen[result["agent"] + result["digest"]] = path
        owner = (path, path.parent if own else None)
        first = owners.setdefault((agent, result["env_id"]), owner)
        if first is not owner and (first[1] is None or owner[1] is None):
            raise InputError(
                f"{first[0]} and {path} are different results of {agent} on {result['env_id']}; "
                "report them apart"
            )
        found.results.append(result)
        found.agents.append(agent)
