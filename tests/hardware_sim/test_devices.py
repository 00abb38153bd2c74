"""Devices, links and clusters."""

import json

import numpy as np
import pytest

from hardware_sim import devices
from hardware_sim.devices import Cluster
from hardware_sim.errors import InputError
from tests.hardware_sim.problems import DEVICE, cluster

LINK = {"gbs": 2.0, "latency_us": 5.0}


@pytest.mark.parametrize("name", devices.names())
def test_every_shipped_cluster_is_whole(name: str) -> None:
    chosen = Cluster.load(name)
    count = len(chosen)
    assert chosen.name == name
    assert len(set(chosen.labels)) == count
    assert len(chosen.channel_labels) == chosen.num_channels
    off = ~np.eye(count, dtype=bool)
    assert (np.diag(chosen.channel) == -1).all()
    assert sorted(set(chosen.channel[off].tolist())) == list(range(chosen.num_channels))
    assert (chosen.seconds_per_byte[off] > 0).all()
    assert (chosen.latency_s[off] >= 0).all()
    for device in chosen.devices:
        assert device.peak_flops > 1e11
        assert device.memory_bytes > 2**30
        assert 0 < device.bandwidth_efficiency <= 1
        assert all(0 < share <= 1 for share in device.efficiency.values())


def test_sharing_by_sender_gives_a_channel_a_device() -> None:
    chosen = cluster(3, "sender")
    assert chosen.channel.tolist() == [[-1, 0, 0], [1, -1, 1], [2, 2, -1]]
    assert chosen.num_channels == 3
    assert chosen.channel_labels == ("G:0 → *", "G:1 → *", "G:2 → *")


def test_sharing_by_pair_gives_a_channel_a_direction() -> None:
    chosen = cluster(3, "pair")
    assert chosen.channel.tolist() == [[-1, 0, 1], [2, -1, 3], [4, 5, -1]]
    assert chosen.channel_labels[0] == "G:0 → G:1"


def test_later_links_override_earlier_ones() -> None:
    slow, fast = {"gbs": 1.0, "latency_us": 9.0}, {"gbs": 100.0, "latency_us": 1.0}
    chosen = Cluster.from_json(
        "c",
        {
            "devices": [DEVICE] * 3,
            "interconnect": [
                {"link": slow, "devices": [0, 1, 2], "sharing": "sender"},
                {"link": fast, "devices": [1, 2], "sharing": "pair"},
            ],
        },
    )
    assert chosen.latency_s[0].tolist() == [0, 9e-6, 9e-6]
    assert chosen.latency_s[1].tolist() == [9e-6, 0, 1e-6]
    assert chosen.channel[0, 1] == chosen.channel[0, 2]
    assert chosen.channel[1, 0] != chosen.channel[1, 2]


def test_units() -> None:
    chosen = cluster(2, gbs=2.0, latency_us=5.0)
    assert chosen.seconds_per_byte[0, 1] == pytest.approx(0.5e-9)
    assert chosen.latency_s[0, 1] == pytest.approx(5e-6)
    (device, _) = chosen.devices
    assert device.peak_flops == 4e12
    assert device.memory_bandwidth == 240e9
    assert device.memory_bytes == 12 * 2**30
    assert device.overhead_s == pytest.approx(5e-6)


def test_one_device_needs_no_link() -> None:
    alone = Cluster.from_json("c", {"devices": ["K80"]})
    assert (len(alone), alone.num_channels, alone.labels) == (1, 0, ("K80",))


def test_a_cluster_from_a_file(tmp_path) -> None:
    path = tmp_path / "mine.json"
    entry = {"link": LINK, "devices": [0, 1], "sharing": "pair"}
    path.write_text(json.dumps({"devices": ["K80", DEVICE], "interconnect": [entry]}))
    assert Cluster.load(str(path)).labels == ("K80", "G")
    assert Cluster.load(str(path)).name == "mine"
    path.write_text("{")
    with pytest.raises(InputError, match=r"mine\.json"):
        Cluster.load(str(path))
    with pytest.raises(InputError, match=r"absent\.json"):
        Cluster.load(str(tmp_path / "absent.json"))


def test_unknown_names_are_answered_with_the_allowed_ones() -> None:
    with pytest.raises(InputError, match="did you mean 'xeon_4xk80'"):
        Cluster.load("xeon_4k80")
    with pytest.raises(InputError, match=r"unknown device 'K8'.*K80"):
        Cluster.from_json("c", {"devices": ["K8"]})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "malformed"),
        ({"devices": []}, "0 devices; 1 to 64"),
        ({"devices": [DEVICE] * 65}, "65 devices"),
        ({"devices": [DEVICE] * 2}, r"nothing connects devices \[0, 1\]"),
        ({"devices": [{**DEVICE, "peak_tflops": 0}]}, "'G': peak_tflops must be positive"),
        ({"devices": [{**DEVICE, "memory_gb": -1}]}, "memory_gb must be positive"),
        ({"devices": [{**DEVICE, "overhead_us": -1}]}, "overhead_us"),
        ({"devices": [{**DEVICE, "kind": "tpu"}]}, "unknown device kind 'tpu'"),
        ({"devices": [{"name": "x"}]}, "malformed"),
    ],
)
def test_malformed_devices_are_refused(value, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Cluster.from_json("c", value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"devices": [0, 2]}, "between 0 and 1"),
        ({"devices": [-1, 0]}, "between 0 and 1"),
        ({"sharing": "bus"}, "unknown sharing 'bus'"),
        ({"link": "PCIe9"}, "unknown link 'PCIe9'"),
        ({"link": {"gbs": 0, "latency_us": 1}}, "gbs must be positive"),
        ({"link": {"gbs": 1, "latency_us": -1}}, "latency_us not negative"),
        ({"link": {}}, "malformed"),
    ],
)
def test_malformed_links_are_refused(change, message: str) -> None:
    entry = {"link": LINK, "devices": [0, 1], "sharing": "pair", **change}
    with pytest.raises(InputError, match=message):
        Cluster.from_json("c", {"devices": [DEVICE] * 2, "interconnect": [entry]})


@pytest.mark.parametrize(
    "broken",
    [
        {"devices": ["K80", "K80"], "interconnect": [{"link": "PCIe3_x16", "sharing": "pair"}]},
        {"devices": [{**DEVICE, "efficiency": {}}]},
        {"devices": [{**DEVICE, "efficiency": None}]},
        {},
    ],
)
def test_a_malformed_description_is_one_clear_error(broken: dict[str, object]) -> None:
    with pytest.raises(InputError, match="malformed"):
        Cluster.from_json("broken", broken)
