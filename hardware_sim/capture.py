"""Captures torch modules as op graphs without running them."""

import copy
import math
import operator
from dataclasses import dataclass
from itertools import count

import torch
from torch.fx import Node
from torch.utils.flop_counter import flop_registry

from hardware_sim.errors import InputError
from hardware_sim.graph import OpGraph

_KINDS = {
    "addmm": "linear",
    "mm": "linear",
    "bmm": "matmul",
    "baddbmm": "matmul",
    "_native_batch_norm_legit_no_training": "batch_norm",
    "native_layer_norm": "layer_norm",
    "native_group_norm": "group_norm",
    "max_pool2d_with_indices": "max_pool",
    "avg_pool2d": "avg_pool",
    "_adaptive_avg_pool2d": "avg_pool",
}
_NORMS = {"batch_norm", "layer_norm", "group_norm"}
_GATHERS = {"embedding", "gather", "index", "index_select"}


@dataclass
class _Op:
    """One op while the graph is being read; edges are producer name to bytes."""

    kind: str
    group: str
    flops: float
    output_bytes: int
    parameter_bytes: int
    traffic_bytes: int
    inputs: dict[str, int]


def capture(
    module: torch.nn.Module, example_inputs: tuple[torch.Tensor, ...], name: str
) -> OpGraph:
    """Captures the inference graph of a module: shapes only, no weights and no memory needed.

    The module is exported on the meta device in evaluation mode and decomposed to core aten ops;
    batch norm stays one op. Views and tuple items are folded into the op that made the tensor.

    - flops: torch's own count for convolutions and matrix products (2 per multiply-add); any
      other op counts one per element of its output.
    - output_bytes: outputs that some op reads (the indices of a max pool are not, for example).
    - parameter_bytes: the parameters and buffers that the op is the first to read.
    - traffic_bytes: inputs, parameters and output, each moved once; of a table that is only
      looked up in, as many bytes as come out.
    - groups: elementwise ops and norms that read one op join its group, as a fusing compiler
      would have it, so a convolution, its batch norm and its ReLU are one group; ops that share
      a parameter share a group.
    - ops: named by module path, ``"Mixed_5b.bpool.1.conv"``, with the kind where a module with
      children calls the op itself, and ``#2`` for a second op of one name. Each network input is
      an op of kind ``"input"`` without cost.

    Args:
        module: Any module that ``torch.export`` takes; it is not changed.
        example_inputs: Its positional inputs; only shapes and dtypes matter.
        name: Name of the graph.

    Raises:
        InputError: Nothing is computed from the inputs.
    """
    meta = copy.deepcopy(module).to("meta").eval()
    inputs = tuple(tensor.to("meta") for tensor in example_inputs)
    with torch.no_grad():
        program = torch.export.export(meta, inputs).run_decompositions()
    signature = program.graph_signature
    constants = {
        *signature.inputs_to_parameters,
        *signature.inputs_to_buffers,
        *signature.inputs_to_lifted_tensor_constants,
    }
    leaves = {path for path, part in module.named_modules() if not any(part.children())}
    reader = _Reader(constants, leaves)
    for node in program.graph.nodes:
        reader.read(node)
    return reader.graph(name)


class _Reader:
    """Reads fx nodes in order and collects ops by name."""

    def __init__(self, constants: set[str], leaves: set[str]):
        self._constants = constants
        self._leaves = leaves
        self._ops: dict[str, _Op] = {}
        self._maker: dict[Node, str] = {}
        """The op that made the tensor of a node."""
        self._constant: dict[Node, Node] = {}
        """The parameter that a node is, or is a view of."""
        self._owner: dict[Node, str] = {}
        """The group of the op that first read a parameter."""

    def read(self, node: Node) -> None:
        """Adds the op of a node, if it has one."""
        if node.op == "placeholder":
            if node.name in self._constants:
                self._constant[node] = node
            elif node.users:
                self._add(node, node.name, "input")
        elif node.op == "call_function" and _bytes(node):
            if not _is_view(node):
                kind = _KINDS.get(_called(node), _called(node).lstrip("_"))
                self._add(node, self._name(node, kind), kind)
            elif node.all_input_nodes[0] in self._constant:
                self._constant[node] = self._constant[node.all_input_nodes[0]]
            else:
                self._maker[node] = self._maker[node.all_input_nodes[0]]

    def graph(self, name: str) -> OpGraph:
        """The ops read so far as a graph."""
        ops = self._ops.values()
        if all(op.kind == "input" for op in ops):
            raise InputError(f"module {name!r} computes nothing from its inputs")
        return OpGraph.build(
            name,
            list(self._ops),
            [(producer, op) for op, value in self._ops.items() for producer in value.inputs],
            kinds=[op.kind for op in ops],
            flops=[op.flops for op in ops],
            traffic_bytes=[op.traffic_bytes for op in ops],
            output_bytes=[op.output_bytes for op in ops],
            parameter_bytes=[op.parameter_bytes for op in ops],
            edge_bytes=[size for op in ops for size in op.inputs.values()],
            groups=[op.group for op in ops],
            source="captured with torch.export; costs are counts, not measurements",
        )

    def _add(self, node: Node, name: str, kind: str) -> None:
        """Adds one op: its sizes, its edges, its group."""
        inputs: dict[str, int] = {}
        for read in node.all_input_nodes:
            producer = self._maker.get(read)
            if producer is not None:
                size = min(_bytes(read), self._ops[producer].output_bytes)
                inputs[producer] = max(inputs.get(producer, 0), size)
        constants = [
            self._constant[read] for read in node.all_input_nodes if read in self._constant
        ]
        output = _used_bytes(node)
        looked_up = sum(map(_bytes, constants))
        moved = (
            sum(inputs.values())
            + output
            + min(looked_up, output if kind in _GATHERS else looked_up)
        )
        group = self._group(node, name, kind, inputs, constants)
        self._maker[node] = name
        self._ops[name] = _Op(
            kind=kind,
            group=group,
            flops=_flops(node) if kind != "input" else 0.0,
            output_bytes=output,
            parameter_bytes=sum(_bytes(c) for c in constants if c not in self._owner),
            traffic_bytes=moved if kind != "input" else 0,
            inputs=inputs,
        )
        for constant in constants:
            self._owner.setdefault(constant, group)

    def _group(
        self, node: Node, name: str, kind: str, inputs: dict[str, int], constants: list[Node]
    ) -> str:
        """The co-location group of an op."""
        shared = next((self._owner[c] for c in constants if c in self._owner), None)
        if shared is not None:
            return shared
        fuses = kind in _NORMS or torch.Tag.pointwise in getattr(node.target, "tags", ())
        if fuses and len(inputs) == 1:
            producer = self._ops[next(iter(inputs))]
            if producer.kind != "input":
                return producer.group
        return name

    def _name(self, node: Node, kind: str) -> str:
        """A unique name from the path of the module that called the op."""
        stack = list(node.meta.get("nn_module_stack", {}).values())
        path = str(stack[-1][0]) if stack else ""
        base = path if path in self._leaves and path else f"{path}/{kind}".lstrip("/")
        if base not in self._ops:
            return base
        return next(n for n in (f"{base}#{i}" for i in count(2)) if n not in self._ops)


def _called(node: Node) -> str:
    """Bare name of the aten op that a node calls: ``"convolution"``."""
    return str(node.target).split(".")[1]


def _is_view(node: Node) -> bool:
    """True if a node moves nothing (or, like ``clone``, only because export asks for it)."""
    if node.target is operator.getitem:
        return True
    return bool(getattr(node.target, "is_view", False)) or _called(node) in ("clone", "detach")


def _bytes(node: Node) -> int:
    """Size of the tensor, or tensors, of a node."""
    value = node.meta.get("val")
    items = value if isinstance(value, (tuple, list)) else [value]
    return sum(t.numel() * t.element_size() for t in items if isinstance(t, torch.Tensor))


def _used_bytes(node: Node) -> int:
    """Size of the outputs of a node that something reads."""
    if isinstance(node.meta["val"], torch.Tensor):
        return _bytes(node)
    return sum(_bytes(item) for item in node.users if item.users)


def _flops(node: Node) -> float:
    """Floating-point operations of one run of a node."""
    value = node.meta["val"]
    formula = flop_registry.get(getattr(node.target, "overloadpacket", None))
    if formula is not None:
        args, kwargs = torch.fx.node.map_arg((node.args, node.kwargs), lambda n: n.meta["val"])
        return float(formula(*args, **kwargs, out_val=value))
    first = value if isinstance(value, torch.Tensor) else value[0]
    return float(math.prod(first.shape))
