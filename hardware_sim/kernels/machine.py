"""The processor that the kernels run on: instruction sets, caches, and a description."""

import os
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hardware_sim.errors import choose

CPUINFO = Path("/proc/cpuinfo")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


@dataclass(frozen=True)
class InstructionSet:
    """What a kernel is compiled for.

    Attributes:
        name: Its name.
        width: float32 numbers in a vector.
        rows: Rows of the register block of a product; two vectors wide.
        flags: Compiler flags.
        features: Processor features that it needs, as ``/proc/cpuinfo`` names them.
        architectures: Processors that have it, or none for all.
    """

    name: str
    width: int
    rows: int
    flags: tuple[str, ...]
    features: frozenset[str] = frozenset()
    architectures: tuple[str, ...] = ()

    @property
    def available(self) -> bool:
        """Whether this processor has it."""
        fits = not self.architectures or platform.machine() in self.architectures
        return fits and self.features <= features()


_X86 = ("x86_64", "AMD64")
_AVX512 = ("avx512f", "avx512vl", "avx512dq", "avx512bw")
INSTRUCTION_SETS = {
    each.name: each
    for each in (
        InstructionSet(
            "avx512",
            16,
            14,
            ("-mfma", "-mprefer-vector-width=512", *(f"-m{name}" for name in _AVX512)),
            frozenset({"fma", *_AVX512}),
            _X86,
        ),
        InstructionSet("avx2", 8, 6, ("-mavx2", "-mfma"), frozenset({"avx2", "fma"}), _X86),
        InstructionSet("neon", 4, 12, (), frozenset({"asimd"}), ("aarch64", "arm64")),
        InstructionSet("portable", 4, 6, ()),
    )
}
"""The widest first; ``portable`` runs anywhere."""


def instruction_set(name: str = "") -> InstructionSet:
    """The instruction set of that name, or the widest that this processor has.

    Raises:
        InputError: There is none of that name.
    """
    if name:
        return INSTRUCTION_SETS[choose("instruction set", name, [*INSTRUCTION_SETS])]
    return next(each for each in INSTRUCTION_SETS.values() if each.available)


@cache
def _cpuinfo() -> dict[str, str]:
    """The first processor's entries in ``/proc/cpuinfo``; empty where there is no such file."""
    try:
        text = CPUINFO.read_text(encoding="utf-8")
    except OSError:
        return {}
    pairs = [line.partition(":") for line in text.split("\n\n")[0].splitlines()]
    return {name.strip(): value.strip() for name, _, value in pairs}


def features() -> frozenset[str]:
    """Features of the processor, in the kernel's names; empty where they are not known."""
    return frozenset(_cpuinfo().get("flags", _cpuinfo().get("Features", "")).split())


@cache
def cache_bytes(level: int) -> int:
    """Size of the data cache of a level (1 to 3) that one core sees; common sizes if not known."""
    for folder in sorted(CACHES.glob("index*")):
        try:
            kind = (folder / "type").read_text(encoding="utf-8").strip()
            found = int((folder / "level").read_text(encoding="utf-8"))
            size = (folder / "size").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            continue
        if found == level and kind != "Instruction":
            scale = {"K": 2**10, "M": 2**20, "G": 2**30}.get(size[-1:], 1)
            return int(size.rstrip("KMG")) * scale
    return {1: 2**15, 2: 2**19}.get(level, 2**23)


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_bytes() -> int:
    """Physical memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def describe() -> dict[str, object]:
    """Processor, cores, instruction set and caches (bytes), for reports."""
    info = _cpuinfo()
    return {
        "processor": info.get("model name", platform.processor() or platform.machine()),
        "family": info.get("cpu family", ""),
        "model": info.get("model", ""),
        "cores": cores(),
        "instruction_set": instruction_set().name,
        "l1d_bytes": cache_bytes(1),
        "l2_bytes": cache_bytes(2),
        "l3_bytes": cache_bytes(3),
        "system": platform.platform(),
    }
