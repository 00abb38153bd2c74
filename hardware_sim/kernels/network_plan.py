"""Plans: files of the kernels that run a network's convolutions, which tuning writes."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from hardware_sim.errors import InputError
from hardware_sim.files import write_json
from hardware_sim.kernels.convolution import Problem
from hardware_sim.kernels.variant import Variant
from hardware_sim.machine import Machine
from hardware_sim.reading import read_json

Built = TypeVar("Built")
FORMAT = 1
GAIN = 1.02
"""A kernel is chosen if it is so many times as fast as PyTorch; less is within the noise."""
CURABLE = ("compile failed", "compile timed out", "hung")
"""Failures that another compiler or a calmer machine may not have."""


@dataclass(frozen=True)
class Measurement:
    """One variant on one problem.

    Attributes:
        variant: What was tried.
        status: ``ok``, or what went wrong, as in :class:`Outcome`.
        detail: A sentence on it.
        error: Greatest error, relative to the greatest magnitude of the float64 result.
        kernel_s: Least time of the kernel in seconds, or None if it did not run.
        torch_s: Least time of PyTorch's best in the same seconds, or None.
        again: Whether these are the times of a second, longer measurement, as winners get one: the
            fastest of many is often one that was lucky.
    """

    variant: Variant
    status: str
    detail: str = ""
    error: float | None = None
    kernel_s: float | None = None
    torch_s: float | None = None
    again: bool = False

    @property
    def speedup(self) -> float:
        """Times as fast as PyTorch; 0 if it did not run."""
        return self.torch_s / self.kernel_s if self.kernel_s and self.torch_s else 0.0


@dataclass
class Entry:
    """A problem and its measurements.

    Attributes:
        problem: A convolution.
        layers: Names of the layers that have it.
        measured: The variants tried so far.
    """

    problem: Problem
    layers: list[str] = field(default_factory=list)
    measured: list[Measurement] = field(default_factory=list)

    @property
    def best(self) -> Measurement | None:
        """The fastest variant, or None where PyTorch is (about) as fast or nothing is known."""
        fastest = max(self.measured, key=lambda each: each.speedup, default=None)
        return fastest if fastest and fastest.speedup >= GAIN else None


@dataclass
class NetworkPlan:
    """The kernels of a network, measured on one machine.

    Attributes:
        machine: The processor that they were measured on.
        entries: One for each distinct convolution.
        threads: Threads that kernels and PyTorch were timed with.
        torch_version: Of PyTorch.
    """

    machine: Machine
    entries: dict[Problem, Entry] = field(default_factory=dict)
    threads: int = 1
    torch_version: str = torch.__version__

    def variant(self, problem: Problem) -> Variant | None:
        """The kernel to use, or None for PyTorch."""
        entry = self.entries.get(problem)
        return entry.best.variant if entry and entry.best else None

    def take(self, old: "NetworkPlan") -> int:
        """Takes the measurements of an earlier plan for its own problems, and counts them.

        Failures that may be cured by now are left behind, so that they are tried again.
        """
        for problem, entry in self.entries.items():
            if problem in old.entries:
                measured = old.entries[problem].measured
                entry.measured = [each for each in measured if each.status not in CURABLE]
        return sum(len(entry.measured) for entry in self.entries.values())

    def beside(self, old: "NetworkPlan") -> "NetworkPlan":
        """A plan of these entries and those that only an earlier plan has, as they are."""
        return replace(self, entries={**old.entries, **self.entries})

    def stale(self, threads: int, here: Machine) -> str:
        """The reason why its times do not hold here and now; empty if they do.

        Args:
            threads: Threads wanted.
            here: The machine to run on.
        """
        if reason := self.foreign(here):
            return reason
        if self.torch_version != torch.__version__:
            return f"it was measured against torch {self.torch_version}, not {torch.__version__}"
        if self.threads != threads:
            return f"it was measured with {self.threads} threads, not {threads}"
        return ""

    def foreign(self, here: Machine) -> str:
        """The difference of the machine that it was measured on from ``here``; empty if none."""
        difference = self.machine.difference(here)
        return f"it was measured on another machine: {difference}" if difference else ""

    def save(self, path: str | Path) -> Path:
        """Writes the plan as JSON, atomically."""
        return write_json(path, self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The plan in the form that :meth:`load` reads."""
        convolutions = []
        for entry in self.entries.values():
            best = entry.best
            convolutions.append(
                {
                    "problem": asdict(entry.problem),
                    "layers": entry.layers,
                    "use": asdict(best.variant) if best else "torch",
                    "kernel_s": best.kernel_s if best else None,
                    "torch_s": best.torch_s if best else None,
                    "error": best.error if best else None,
                    "measured": [asdict(each) for each in entry.measured],
                }
            )
        return {
            "format": FORMAT,
            "machine": self.machine.to_json(),
            "torch": self.torch_version,
            "threads": self.threads,
            "convolutions": convolutions,
        }

    @classmethod
    def load(cls, path: str | Path) -> "NetworkPlan":
        """Reads a plan, whatever machine it comes from (see :meth:`foreign`).

        Raises:
            InputError: There is no such file, or it is no plan.
        """
        content = read_json(path)
        try:
            if content["format"] != FORMAT:
                raise InputError(f"{path} has format {content['format']!r}; known is {FORMAT}")
            entries = [_entry(each) for each in content["convolutions"]]
            return cls(
                Machine.from_json(content["machine"]),
                {entry.problem: entry for entry in entries},
                int(content["threads"]),
                str(content["torch"]),
            )
        except InputError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise InputError(f"{path} is no plan of gymworks tune: {error!r}") from error


def _entry(content: Mapping[str, Any]) -> Entry:
    measured = [
        Measurement(**{**each, "variant": _built(Variant, each["variant"])})
        for each in content["measured"]
    ]
    return Entry(_built(Problem, content["problem"]), list(content["layers"]), measured)


def _built(kind: Callable[..., Built], content: Mapping[str, Any]) -> Built:
    """A problem or variant from JSON, in which tuples are lists."""
    return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in content.items()})
