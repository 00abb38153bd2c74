"""A run: one folder that holds everything about one training."""

import csv
import io
import math
import re
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from agents.provenance import provenance
from hardware_sim.errors import InputError
from hardware_sim.files import (
    UnwritableError,
    held,
    unfinished,
    write_atomic,
    write_json,
    write_text,
    writing,
)
from hardware_sim.reading import read_json

COLUMNS = (
    "step",
    "seconds",
    "episodes",
    "mean_reward",
    "best_score",
    "mean_score",
    "steps_per_second",
)
CHECKPOINT = re.compile(r"step-(\d{12})(\.\w+)?")
LOCK = ".lock"

T = TypeVar("T")


class UnreadableCheckpointError(Exception):
    """Raised by a checkpoint reader for a file that is truncated or not a checkpoint."""


class Run:
    """A run folder: ``config.json``, ``metrics.csv``, ``checkpoints/``, ``best.json``.

    Args:
        folder: An existing run folder.

    Raises:
        InputError: The folder is missing or is no run.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        path = self.folder / "config.json"
        if not path.is_file():
            raise InputError(f"{self.folder} is not a run folder: it has no config.json")
        self.config: dict[str, Any] = read_json(path)
        if not isinstance(self.config, dict):
            raise InputError(f"{path} is no JSON object")
        self._columns: list[str] | None = None
        self._last_step = -1

    @classmethod
    def create(cls, folder: str | Path, config: dict[str, Any]) -> "Run":
        """Makes the folder and writes ``config.json``, provenance included.

        Raises:
            InputError: The folder exists and is not empty; nothing is overwritten.
        """
        folder = Path(folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(
                f"{folder} exists; resume it (--resume), choose another folder (--run-dir) "
                "or remove it"
            )
        write_json(folder / "config.json", config | provenance())
        return cls(folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from training in the folder, and clears what killed ones left.

        Raises:
            InputError: Another process trains in the folder, or it cannot be written.
        """
        busy = f"{self.folder} is in use: another process trains in it"
        with held(self.folder / LOCK, busy):
            for left in unfinished(self.folder) + unfinished(self.folder / "checkpoints"):
                left.unlink()
            yield

    def discard_if_untrained(self) -> None:
        """Removes a folder that holds the configuration alone; its name is free again."""
        if {path.name for path in self.folder.iterdir()} <= {"config.json", LOCK}:
            shutil.rmtree(self.folder)

    def update_config(self, changes: dict[str, Any]) -> None:
        """Changes entries of ``config.json``, such as ``steps`` when a run is prolonged."""
        self.config |= changes
        path = self.folder / "config.json"
        with self.writing(path):
            write_json(path, self.config)

    @contextmanager
    def writing(self, path: Path) -> Iterator[None]:
        """Turns a failure to write into one clear sentence; what was written before stays.

        Raises:
            InputError: The disk is full or the folder cannot be written.
        """
        try:
            with writing(path):
                yield
        except UnwritableError as error:
            remedy = "make room" if error.full else "see to that"
            raise InputError(
                f"{error}; earlier checkpoints of the run are untouched: {remedy}, then resume it"
            ) from error

    # Metrics -------------------------------------------------------------------------------

    @property
    def metrics_path(self) -> Path:
        """``metrics.csv``."""
        return self.folder / "metrics.csv"

    def metrics(self) -> list[dict[str, float]]:
        """The rows of ``metrics.csv``, oldest first; empty cells are left out.

        A last line cut off by a kill is ignored.
        """
        if not self.metrics_path.exists():
            return []
        text = self.metrics_path.read_text()
        complete = text[: text.rfind("\n") + 1]
        return [
            {key: float(value) for key, value in row.items() if value}
            for row in csv.DictReader(io.StringIO(complete))
        ]

    @property
    def step(self) -> int:
        """Environment steps that the rows of ``metrics.csv`` reach; 0 before the first."""
        rows = self.metrics()
        return int(rows[-1]["step"]) if rows else 0

    def append_metrics(self, row: dict[str, float]) -> None:
        """Appends a row; a new column is added to the header.

        Args:
            row: Values by column; ``step`` must be past that of every earlier row.

        Raises:
            ValueError: ``step`` is not past the last one (call :meth:`rewind` on resuming).
        """
        if self._columns is None:
            self._read_header()
        assert self._columns is not None
        if row["step"] <= self._last_step:
            raise ValueError(f"step {row['step']} is not past {self._last_step}")
        new = [name for name in row if name not in self._columns]
        if new or not self.metrics_path.exists():
            self._columns += new
            self._write_metrics([*self.metrics(), row])
        else:
            with self.writing(self.metrics_path), self.metrics_path.open("a", newline="") as file:
                self._writer(file).writerow(_cells(row))
        self._last_step = int(row["step"])

    def rewind(self, step: int) -> None:
        """Drops the rows past a step, before training continues from there."""
        self._read_header()
        if self.metrics_path.exists():
            kept = [row for row in self.metrics() if row["step"] <= step]
            self._write_metrics(kept)
            self._last_step = int(kept[-1]["step"]) if kept else -1

    def _read_header(self) -> None:
        rows = self.metrics()
        self._last_step = int(rows[-1]["step"]) if rows else -1
        self._columns = list(COLUMNS)
        if self.metrics_path.exists():
            with self.metrics_path.open(newline="") as file:
                header = next(csv.reader(file), [])
            self._columns += [name for name in header if name not in COLUMNS]

    def _writer(self, file: Any) -> "csv.DictWriter[str]":
        assert self._columns is not None
        return csv.DictWriter(file, self._columns, restval="", lineterminator="\n")

    def _write_metrics(self, rows: Iterable[dict[str, float]]) -> None:
        text = io.StringIO()
        writer = self._writer(text)
        writer.writeheader()
        writer.writerows(_cells(row) for row in rows)
        with self.writing(self.metrics_path):
            write_text(self.metrics_path, text.getvalue())

    # Checkpoints ---------------------------------------------------------------------------

    def checkpoint_path(self, step: int, suffix: str = "") -> Path:
        """Path of the checkpoint of a step; a file or a folder, as the engine likes.

        Args:
            step: Environment steps trained.
            suffix: With its dot, such as ``".pt"``.
        """
        return self.folder / "checkpoints" / f"step-{step:012d}{suffix}"

    @staticmethod
    def checkpoint_step(path: Path) -> int:
        """The step a checkpoint was taken at."""
        match = CHECKPOINT.fullmatch(path.name)
        assert match is not None, path
        return int(match[1])

    def checkpoints(self) -> list[Path]:
        """Every checkpoint, newest first; unfinished ones (hidden names) are not listed."""
        folder = self.folder / "checkpoints"
        if not folder.is_dir():
            return []
        found = [path for path in folder.iterdir() if CHECKPOINT.fullmatch(path.name)]
        return sorted(found, key=self.checkpoint_step, reverse=True)

    @property
    def reached(self) -> int:
        """The step of the newest checkpoint; 0 if there is none."""
        return max(map(self.checkpoint_step, self.checkpoints()), default=0)

    def save_checkpoint(self, step: int, suffix: str, data: bytes, quality: float) -> Path:
        """Writes a checkpoint, marks it if it is the best, prunes old ones.

        Args:
            step: Environment steps trained.
            suffix: With its dot.
            data: The whole content.
            quality: See :meth:`mark_best`.

        Raises:
            InputError: The disk is full or the folder cannot be written.
        """
        path = self.write_checkpoint(step, suffix, data)
        self.mark_best(step, quality)
        self.prune()
        return path

    def write_checkpoint(self, step: int, suffix: str, data: bytes) -> Path:
        """Writes a checkpoint whole or not at all; see :meth:`save_checkpoint`."""
        path = self.checkpoint_path(step, suffix)
        with self.writing(path):
            write_atomic(path, lambda file: file.write(data))
        return path

    def mark_best(self, step: int, quality: float) -> None:
        """Names the checkpoint of a step the best if its quality (higher is better) is highest."""
        path = self.folder / "checkpoints" / "best.json"
        if math.isfinite(quality):
            best = self._best_mark()
            if best is None or quality > best["quality"]:
                with self.writing(path):
                    write_json(path, {"step": step, "quality": quality})

    def _best_mark(self) -> dict[str, Any] | None:
        try:
            mark: dict[str, Any] = read_json(self.folder / "checkpoints" / "best.json")
        except InputError:
            return None
        return mark if isinstance(mark, dict) and {"step", "quality"} <= mark.keys() else None

    def best_checkpoint(self) -> Path | None:
        """The checkpoint named best, if any is and it is still there."""
        mark = self._best_mark()
        steps = {self.checkpoint_step(path): path for path in self.checkpoints()}
        return steps.get(mark["step"]) if mark else None

    def prune(self, keep: int = 3) -> None:
        """Removes all checkpoints but the newest ``keep`` and the best, and unfinished ones."""
        best = self.best_checkpoint()
        unfinished = list((self.folder / "checkpoints").glob(".step-*"))
        for path in self.checkpoints()[keep:] + unfinished:
            if path == best:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def read_newest(self, read: Callable[[Path], T]) -> tuple[Path, T] | None:
        """Reads the newest readable checkpoint, warning about each it has to skip.

        Args:
            read: Reads one; raises :class:`UnreadableCheckpointError` where it cannot.

        Returns:
            The path and what ``read`` returned, or ``None`` if the run has no checkpoint.

        Raises:
            InputError: There are checkpoints and none is readable.
        """
        return self._first_readable(self.checkpoints(), read)

    def read_best(self, read: Callable[[Path], T]) -> tuple[Path, T]:
        """Reads the best checkpoint, or else the newest readable one; see :meth:`read_newest`.

        Raises:
            InputError: None is readable, or the run has none.
        """
        best = self.best_checkpoint()
        others = [path for path in self.checkpoints() if path != best]
        found = self._first_readable([best, *others] if best else others, read)
        if found is None:
            raise InputError(f"{self.folder} has no checkpoint yet")
        return found

    def _first_readable(
        self, paths: list[Path], read: Callable[[Path], T]
    ) -> tuple[Path, T] | None:
        broken = []
        for path in paths:
            try:
                value = read(path)
            except UnreadableCheckpointError as error:
                broken.append(f"{path.name} ({error})")
                continue
            if broken:
                warnings.warn(
                    f"unreadable checkpoint {', '.join(broken)} in {self.folder}; "
                    f"using {path.name}",
                    RuntimeWarning,
                    stacklevel=3,
                )
            return path, value
        if broken:
            raise InputError(f"no checkpoint in {self.folder} is readable: {', '.join(broken)}")
        return None

    # Results -------------------------------------------------------------------------------

    def save_best_episode(self, episode: dict[str, Any]) -> None:
        """Writes ``best.json``: ``{"env_id", "seed", "actions", "score", "return"}``."""
        path = self.folder / "best.json"
        with self.writing(path):
            write_json(path, episode)

    def best_episode(self) -> dict[str, Any] | None:
        """The best training episode so far, from ``best.json``; replaying it gives its score."""
        return self._read_json("best.json")

    def save_result(self, result: dict[str, Any]) -> None:
        """Writes ``result.json``, an evaluation of the run's agent."""
        path = self.folder / "result.json"
        with self.writing(path):
            write_json(path, result)

    def result(self) -> dict[str, Any] | None:
        """The content of ``result.json``, if there is one."""
        return self._read_json("result.json")

    def _read_json(self, name: str) -> dict[str, Any] | None:
        path = self.folder / name
        if not path.exists():
            return None
        value: dict[str, Any] = read_json(path)
        return value


def _cells(row: dict[str, float]) -> dict[str, str]:
    """Cells of a row: whole numbers without a point, others to seven digits."""
    return {
        key: str(int(value)) if float(value).is_integer() else f"{value:.7g}"
        for key, value in row.items()
        if math.isfinite(value)
    }
