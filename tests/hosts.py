"""Machines that the code may happen to run on, as their system would list them."""

from pathlib import Path

import pytest

from hardware_sim import host

LESSER = "fma avx2"
GREATER = "fma avx2 avx512f avx512vl avx512dq avx512bw"


def pretend(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    features: str,
    kib: tuple[int, int, int],
    cores: int,
    architecture: str = "x86_64",
) -> None:
    """Has the host answer for another machine.

    Args:
        monkeypatch: Undoes it.
        folder: An empty one, for what the system would list.
        features: Of the processor, in the names of ``/proc/cpuinfo``.
        kib: Data caches of the three levels in KiB.
        cores: Cores that the process may use.
        architecture: Of the processor.
    """
    (folder / "cpuinfo").write_text(
        "processor\t: 0\nmodel name\t: Pretended 9\ncpu family\t: 8\nmodel\t\t: 7\n"
        f"flags\t\t: fpu {features}\n\nprocessor\t: 1\nmodel name\t: Another\n"
    )
    for i, (kind, level, size) in enumerate(
        [
            ("Data", 1, kib[0]),
            ("Instruction", 1, 999),
            ("Unified", 2, kib[1]),
            ("Unified", 3, kib[2]),
        ]
    ):
        place = folder / "cache" / f"index{i}"
        place.mkdir(parents=True)
        for name, value in (("type", kind), ("level", level), ("size", f"{size}K")):
            (place / name).write_text(f"{value}\n")
    monkeypatch.setattr(host, "CPUINFO", folder / "cpuinfo")
    monkeypatch.setattr(host, "CACHES", folder / "cache")
    monkeypatch.setattr(host.platform, "machine", lambda: architecture)
    monkeypatch.setattr(host.os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
