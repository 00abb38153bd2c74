"""Outcomes of building or running a kernel, as values."""

from dataclasses import dataclass
from typing import Literal

Status = Literal[
    "ok",
    "masked",
    "no compiler",
    "no cache",
    "compile failed",
    "compile timed out",
    "crashed",
    "hung",
    "wrong",
    "out of bounds",
]


@dataclass(frozen=True)
class Outcome:
    """The end of a try to build or run a kernel.

    Attributes:
        status: ``ok``, or what went wrong; ``masked`` means that the variant does not apply.
        detail: A sentence on it.
        error: Greatest error found, relative to the greatest magnitude of the reference, or None
            if nothing was computed.
    """

    status: Status
    detail: str = ""
    error: float | None = None

    def __bool__(self) -> bool:
        """True if all went well."""
        return self.status == "ok"


def ended(status: int, output: str) -> Outcome:
    """The outcome of a child process that ended before its work was done.

    Args:
        status: Of its exit; a signal's number, negative, if one ended it.
        output: What it wrote on its standard error.
    """
    if status < 0:
        return Outcome("crashed", f"it ended by signal {-status}")
    return Outcome("crashed", output.strip()[:2000])


class KernelError(RuntimeError):
    """There is no kernel; the outcome has the reason.

    Attributes:
        outcome: What went wrong.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(f"{outcome.status}: {outcome.detail}")
        self.outcome = outcome
