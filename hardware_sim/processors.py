"""Processor cores and their caches, read from ``data/processors.json``."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from hardware_sim.cache import CacheLevel
from hardware_sim.errors import choose

FLOAT_BYTES = 4


@dataclass(frozen=True)
class Processor:
    """One core, and the caches between it and the memory; rates are per cycle of the clock.

    Attributes:
        name: Such as ``"zen4"``.
        clock_hz: Cycles a second.
        vector_bytes: Bytes of a vector register.
        vector_registers: Number of them.
        fma_per_cycle: Fused multiply-adds of whole vectors.
        fma_latency: Cycles until the result of one can be added to.
        loads_per_cycle: Vector loads that hit the first cache.
        stores_per_cycle: Vector stores.
        scalar_per_cycle: Multiply-adds, loads or stores of single floats.
        loop_cycles: Cycles that an iteration of a loop costs beside its body.
        caches: From the core outwards; the last is shared by all cores.
        fill_bytes: Bytes a cycle that each cache receives from what is behind it.
    """

    name: str
    clock_hz: float
    vector_bytes: int
    vector_registers: int
    fma_per_cycle: float
    fma_latency: float
    loads_per_cycle: float
    stores_per_cycle: float
    scalar_per_cycle: float
    loop_cycles: float
    caches: tuple[CacheLevel, ...]
    fill_bytes: tuple[float, ...]

    @classmethod
    def load(cls, name: str) -> "Processor":
        """A processor by its name in the table.

        Raises:
            InputError: The name is unknown.
        """
        row = dict(_table()[choose("processor", name, list(_table()))])
        caches = row.pop("caches")
        del row["source"]
        return cls(
            name=name,
            clock_hz=row.pop("clock_ghz") * 1e9,
            caches=tuple(
                CacheLevel(c["name"], c["kib"] * 1024, c["ways"], c["line_bytes"]) for c in caches
            ),
            fill_bytes=tuple(c["fill_bytes_per_cycle"] for c in caches),
            **row,
        )

    @property
    def lanes(self) -> int:
        """Floats of a vector."""
        return self.vector_bytes // FLOAT_BYTES

    @property
    def peak_flops(self) -> float:
        """Float32 operations a second of one core."""
        return 2 * self.lanes * self.fma_per_cycle * self.clock_hz


@cache
def _table() -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = json.loads(
        files("hardware_sim").joinpath("data", "processors.json").read_text()
    )
    return table


def names() -> list[str]:
    """Names of the shipped processors."""
    return list(_table())
