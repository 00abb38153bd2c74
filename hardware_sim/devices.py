"""Devices, links and clusters, read from the JSON tables in ``data/``."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hardware_sim.errors import InputError, choose
from hardware_sim.reading import read_json

MAX_DEVICES = 64
"""The simulator keeps a set of destination devices in one 64-bit word."""


@dataclass(frozen=True)
class Device:
    """One device: its rates and its memory.

    Attributes:
        name: Such as ``"K80"``.
        kind: ``"cpu"``, ``"gpu"`` or ``"unit"`` (an abstract processor of published task graphs);
            measured costs are looked up by it.
        peak_flops: Peak fp32 rate, FLOP/s.
        memory_bandwidth: Bytes/s.
        memory_bytes: Capacity.
        overhead_s: Seconds added to every op (kernel launch).
        efficiency: Fraction of the peak reached, by op kind, with a ``"default"``.
        bandwidth_efficiency: Fraction of the memory bandwidth reached.
    """

    name: str
    kind: str
    peak_flops: float
    memory_bandwidth: float
    memory_bytes: int
    overhead_s: float
    efficiency: dict[str, float]
    bandwidth_efficiency: float


@dataclass(frozen=True, eq=False)
class Cluster:
    """Devices and the links between them.

    Attributes:
        name: Such as ``"xeon_4xk80"``.
        devices: ``D`` devices; names may repeat.
        channel: int64 ``(D, D)``, the link direction that a transfer occupies, ``0..C-1``; -1 on
            the diagonal. Transfers on one channel queue for each other.
        latency_s: float64 ``(D, D)``, seconds a transfer takes whatever its size.
        seconds_per_byte: float64 ``(D, D)``.
    """

    name: str
    devices: tuple[Device, ...]
    channel: NDArray[np.int64]
    latency_s: NDArray[np.float64]
    seconds_per_byte: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.devices)

    @property
    def num_channels(self) -> int:
        """Number of link directions ``C``."""
        return int(self.channel.max()) + 1

    @property
    def labels(self) -> tuple[str, ...]:
        """``D`` unique names for people: ``"K80:1"`` where a name repeats."""
        names = [device.name for device in self.devices]
        seen: dict[str, int] = {}
        labels = []
        for name in names:
            labels.append(f"{name}:{seen.get(name, 0)}" if names.count(name) > 1 else name)
            seen[name] = seen.get(name, 0) + 1
        return tuple(labels)

    @property
    def channel_labels(self) -> tuple[str, ...]:
        """``C`` names for people: the sender, and the receiver where the channel has one only."""
        labels = self.labels
        names = []
        for channel in range(self.num_channels):
            pairs = np.argwhere(self.channel == channel)
            senders = ", ".join(labels[i] for i in dict.fromkeys(pairs[:, 0].tolist()))
            receiver = labels[pairs[0, 1]] if len(pairs) == 1 else "*"
            names.append(f"{senders} → {receiver}")
        return tuple(names)

    @classmethod
    def load(cls, name: str) -> "Cluster":
        """A cluster by name, or one described in a user's JSON file of the same form.

        Args:
            name: A name in ``data/clusters.json`` or a path to a ``.json`` file.

        Raises:
            InputError: The name is unknown or the description is malformed.
        """
        if name.endswith(".json"):
            path = Path(name)
            try:
                return cls.from_json(path.stem, read_json(path))
            except (ValueError, OverflowError) as error:
                raise InputError(f"cannot read cluster file {path}: {error}") from error
        table = _table("clusters.json")
        return cls.from_json(name, table[choose("cluster", name, list(table))])

    @classmethod
    def from_json(cls, name: str, value: dict[str, Any]) -> "Cluster":
        """Builds a cluster from ``{"devices": [...], "interconnect": [...]}``.

        A device is a name in ``data/devices.json`` or an object of the same form. An interconnect
        entry is ``{"link": name or object, "devices": [indices], "sharing": "sender" | "pair"}``:
        ``sender`` gives each device one outgoing channel, ``pair`` one to each other device.
        Later entries override earlier ones for the pairs that they cover.

        Raises:
            InputError: Unknown names, indices out of range, or devices that nothing connects.
        """
        try:
            devices = tuple(_device(entry) for entry in value["devices"])
            links = [
                (
                    e["devices"],
                    _link(e["link"]),
                    choose("sharing", e["sharing"], ("sender", "pair")),
                )
                for e in value.get("interconnect", [])
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"cluster {name!r} is malformed: {error!r}") from error
        count = len(devices)
        if not 1 <= count <= MAX_DEVICES:
            raise InputError(
                f"cluster {name!r} has {count} devices; 1 to {MAX_DEVICES} are allowed"
            )
        keys: dict[tuple[int, int], tuple[int, int, int]] = {}
        latency, per_byte = np.zeros((count, count)), np.zeros((count, count))
        for number, (members, link, sharing) in enumerate(links):
            whole = isinstance(members, list) and all(type(d) is int for d in members)
            if not whole or any(not 0 <= d < count for d in members):
                raise InputError(
                    f"cluster {name!r}: link devices {members} must be between 0 and {count - 1}"
                )
            for source in members:
                for target in members:
                    if source != target:
                        alone = target if sharing == "pair" else -1
                        keys[source, target] = number, source, alone
                        latency[source, target] = link["latency_us"] * 1e-6
                        per_byte[source, target] = 1e-9 / link["gbs"]
        number_of = {key: i for i, key in enumerate(dict.fromkeys(keys[p] for p in sorted(keys)))}
        channel = np.full((count, count), -1, np.int64)
        for pair, key in keys.items():
            channel[pair] = number_of[key]
        loose = np.argwhere((channel < 0) & ~np.eye(count, dtype=bool))
        if len(loose):
            raise InputError(f"cluster {name!r}: nothing connects devices {loose[0].tolist()}")
        return cls(name, devices, channel, latency, per_byte)


def names() -> list[str]:
    """Names of the shipped clusters."""
    return list(_table("clusters.json"))


@cache
def _table(name: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads(
        files("hardware_sim").joinpath("data", name).read_text(encoding="utf-8")
    )
    return {key: entry for key, entry in table.items() if isinstance(entry, dict)}


def _device(entry: str | dict[str, Any]) -> Device:
    """A device from its name in the table, or from a description of the same form."""
    if isinstance(entry, str):
        table = _table("devices.json")
        entry = {"name": entry, **table[choose("device", entry, list(table))]}
    figures = ("peak_tflops", "memory_gbs", "memory_gb")
    wrong = [f for f in figures if not entry[f] > 0] + [f for f in ("overhead_us",) if entry[f] < 0]
    if wrong:
        raise InputError(f"device {entry['name']!r}: {wrong[0]} must be positive")
    return Device(
        name=entry["name"],
        kind=choose("device kind", entry["kind"], ("cpu", "gpu", "unit")),
        peak_flops=entry["peak_tflops"] * 1e12,
        memory_bandwidth=entry["memory_gbs"] * 1e9,
        memory_bytes=int(entry["memory_gb"] * 2**30),
        overhead_s=entry["overhead_us"] * 1e-6,
        efficiency={"default": entry["efficiency"]["default"], **entry["efficiency"]},
        bandwidth_efficiency=entry.get("bandwidth_efficiency", 0.75),
    )


def _link(entry: str | dict[str, Any]) -> dict[str, Any]:
    """A link from its name in the table, or a description with ``gbs`` and ``latency_us``."""
    if isinstance(entry, str):
        table = _table("links.json")
        return _link(table[choose("link", entry, list(table))])
    if not (entry["gbs"] > 0 and entry["latency_us"] >= 0):
        raise InputError(f"link {entry}: gbs must be positive and latency_us not negative")
    return entry
