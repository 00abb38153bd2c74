"""From the graph of a forward pass to that of a training step."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hardware_sim.errors import InputError
from hardware_sim.graph import OpGraph

_PRODUCTS = {"convolution", "linear", "matmul"}
_BACKWARD_READS_OUTPUT = {"relu", "sigmoid", "tanh", "softmax", "log_softmax", "exp", "sqrt"}
_BACKWARD_READS_NOTHING = {"add", "sub", "neg", "mean", "sum", "cat", "avg_pool", "view"}


def training_step(graph: OpGraph, backward_ms: Mapping[str, ArrayLike] | None = None) -> OpGraph:
    """The graph of one training step, forward and backward, from that of the forward pass.

    Every op but the network inputs gets a backward op ``"<op>/grad"`` in its group, run in
    reverse, which ends with the update of the op's parameters:

    - It reads the gradient of its output from the backward op of each consumer (as many bytes as
      the consumer read), and what of the forward pass its formula needs: the op's inputs; its
      output for ReLU, softmax and their like; nothing for sums, means and concatenations. So
      activations stay in memory until they have been used. An op without consumers feeds its
      own backward op: the loss.
    - Its cost is that of the forward op, twice for convolutions and matrix products (gradient to
      the input and to the weight), once where the inputs are network inputs, which need none.
      The update adds five passes over the parameters to the traffic (SGD with momentum reads
      weight, gradient and momentum and writes weight and momentum).
    - The forward op holds three times the parameters: weight, gradient and momentum.

    Args:
        graph: A forward graph.
        backward_ms: Measured milliseconds of the backward ops, ``(N,)`` by device kind; by
            default the measured forward times, scaled like the cost.

    Raises:
        InputError: ``backward_ms`` is malformed, or an op is already called ``"<op>/grad"``.
    """
    has_grad = [i for i, kind in enumerate(graph.kinds) if kind != "input"]
    grad_read = np.isin(graph.edges[:, 0], has_grad)
    edges = _edges(graph, set(has_grad))
    trained = set(graph.edges[grad_read, 1].tolist())
    twice = [kind in _PRODUCTS and i in trained for i, kind in enumerate(graph.kinds)]
    factor = np.where(twice, 2.0, 1.0)
    to_inputs = np.zeros(len(graph))
    np.add.at(to_inputs, graph.edges[:, 1], graph.edge_bytes * grad_read)
    backward = np.array(has_grad[::-1], np.int64)

    def both(forward: ArrayLike, back: ArrayLike) -> Any:
        return np.concatenate([forward, np.asarray(back)[backward]])

    measured = {kind: graph.measured_ms[:, k] for k, kind in enumerate(graph.measured_on)}
    after = backward_ms or {kind: factor * column for kind, column in measured.items()}
    if set(after) != set(measured) or any(np.shape(v) != (len(graph),) for v in after.values()):
        raise InputError(
            f"backward_ms of {graph.name!r} must have {len(graph)} figures for each of "
            f"{sorted(measured)}"
        )
    labels = [graph.group_names[g] for g in graph.groups]
    return OpGraph.build(
        f"{graph.name}_training",
        [*graph.ops, *(_grad(graph.ops[i]) for i in backward)],
        list(edges),
        kinds=[*graph.kinds, *(_grad(graph.kinds[i]) for i in backward)],
        flops=both(graph.flops, factor * graph.flops),
        traffic_bytes=both(
            graph.traffic_bytes, factor * graph.traffic_bytes + 5.0 * graph.parameter_bytes
        ),
        measured_ms={kind: both(column, after[kind]) for kind, column in measured.items()},
        output_bytes=both(graph.output_bytes, to_inputs),
        parameter_bytes=[*(3 * graph.parameter_bytes), *[0] * len(backward)],
        edge_bytes=list(edges.values()),
        groups=[*labels, *(labels[i] for i in backward)],
        source=f"{graph.source}; backward ops derived by rule",
    )


def _edges(graph: OpGraph, has_grad: set[int]) -> dict[tuple[str, str], int]:
    """Bytes of every edge of the training step; see :func:`training_step`."""
    links = list(zip(graph.edges.tolist(), graph.edge_bytes.tolist(), strict=True))
    edges = {(graph.ops[u], graph.ops[v]): size for (u, v), size in links}
    for (u, v), size in links:
        if u in has_grad and v in has_grad:
            edges[_grad(graph.ops[v]), _grad(graph.ops[u])] = size
        if v in has_grad and graph.kinds[v] not in _BACKWARD_READS_OUTPUT | _BACKWARD_READS_NOTHING:
            edges[graph.ops[u], _grad(graph.ops[v])] = size
    consumed = {u for (u, _), _ in links}
    for i in has_grad:
        if i not in consumed or graph.kinds[i] in _BACKWARD_READS_OUTPUT:
            edges[graph.ops[i], _grad(graph.ops[i])] = int(graph.output_bytes[i])
    return edges


def _grad(name: str) -> str:
    """Name, or kind, of the backward op of an op."""
    return f"{name}/grad"
