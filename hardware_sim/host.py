"""The machine that this process runs on: the one module that asks it about itself.

What is planned, predicted or observed must not depend on where the code happens to run. It takes a
:class:`~hardware_sim.machine.Machine` as a value: that of a table, or :func:`this_machine`, which
those call that compile and measure here.
"""

import os
import platform
from itertools import takewhile
from pathlib import Path

from hardware_sim.machine import INSTRUCTION_SETS, InstructionSet, Machine

CPUINFO = Path("/proc/cpuinfo")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
COMMON = {1: 2**15, 2: 2**19, 3: 2**23}
"""Bytes of a cache of a level where the system does not list it."""


def this_machine() -> Machine:
    """The processor, caches and memory of this process, as far as the system lists them."""
    info = _cpuinfo()
    return Machine(
        processor=processor(),
        family=info.get("cpu family", ""),
        model=info.get("model", ""),
        cores=_cores(),
        instruction_set=next(each.name for each in INSTRUCTION_SETS.values() if _has(each)),
        l1d_bytes=_cache_bytes(1),
        l2_bytes=_cache_bytes(2),
        l3_bytes=_cache_bytes(3),
        system=platform.platform(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    )


def processor() -> str:
    """Name of the processor."""
    return _cpuinfo().get("model name", platform.processor() or platform.machine())


def features() -> frozenset[str]:
    """Features of the processor, in the kernel's names; empty where they are not known."""
    return frozenset(_cpuinfo().get("flags", _cpuinfo().get("Features", "")).split())


def _has(isa: InstructionSet) -> bool:
    fits = not isa.architectures or platform.machine() in isa.architectures
    return fits and isa.features <= features()


def _cpuinfo() -> dict[str, str]:
    """The first processor's entries in ``/proc/cpuinfo``; empty where there is no such file."""
    try:
        with CPUINFO.open(encoding="utf-8") as lines:
            pairs = [line.partition(":") for line in takewhile(str.strip, lines)]
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, _, value in pairs}


def _cache_bytes(level: int) -> int:
    """Size of a core's data cache of a level from 1 to 3; :data:`COMMON` if it is not known."""
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
    return COMMON[level]


def _cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
