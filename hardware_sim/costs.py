"""Seconds of ops on devices, measured or estimated by a roofline."""

import numpy as np
from numpy.typing import NDArray

from hardware_sim.devices import Cluster, Device
from hardware_sim.errors import InputError
from hardware_sim.graph import OpGraph


def compute_seconds(graph: OpGraph, cluster: Cluster) -> NDArray[np.float64]:
    """Seconds of each op on each device, float64 ``(N, D)``.

    A graph with measured costs uses the column of the device's kind; any other graph uses the
    roofline of :func:`roofline_seconds`.

    Raises:
        InputError: The graph was measured, but not on a kind that the cluster has.
    """
    columns = []
    for device in cluster.devices:
        if graph.measured_on:
            if device.kind not in graph.measured_on:
                raise InputError(
                    f"graph {graph.name!r} was measured on {', '.join(graph.measured_on)}, but "
                    f"cluster {cluster.name!r} has a {device.kind} ({device.name})"
                )
            columns.append(graph.measured_ms[:, graph.measured_on.index(device.kind)] * 1e-3)
        else:
            columns.append(roofline_seconds(graph, device))
    return np.ascontiguousarray(np.array(columns).T)


def roofline_seconds(graph: OpGraph, device: Device) -> NDArray[np.float64]:
    """Seconds of each op, ``(N,)``: overhead + max(FLOP / rate, bytes / bandwidth).

    The roofline of Williams et al. (2009) with an efficiency by op kind and a launch overhead.
    Ops without any work (inputs) take no time.
    """
    efficiency = np.array(
        [device.efficiency.get(kind, device.efficiency["default"]) for kind in graph.kinds]
    )
    arithmetic = graph.flops / (device.peak_flops * efficiency)
    memory = graph.traffic_bytes / (device.memory_bandwidth * device.bandwidth_efficiency)
    work = np.maximum(arithmetic, memory)
    return np.where(work > 0, device.overhead_s + work, 0.0)
