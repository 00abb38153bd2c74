"""Speed-ups of every choice on a layer: measured once and replayed, or predicted by a model.

The shipped table was measured by ``python -m experiments.convolution.tables``; its head describes
the machine. A model is any function from a problem and a machine to the log speed-up of every
choice.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.arguments import offered
from hardware_sim.errors import InputError, choose
from hardware_sim.machine import Machine
from hardware_sim.naming import check_listed, resolve_listed

FILE = "convolution/replay.json"
"""The shipped table, in the folder of the environments."""
WORK = (
    "products",
    "transforms",
    "weight_bytes",
    "weight_traffic",
    "block_bytes",
    "block_traffic",
    "scratch_bytes",
)
"""The work of a method by default, see :class:`hardware_sim.kernels.roofline.Work`."""


@dataclass(frozen=True, eq=False)
class Table:
    """The speed-ups of one layer's choices; arrays have the shape ``(M, B, P, W)`` of the space.

    Attributes:
        name: The layer.
        split: ``train``, ``test`` or ``volumes``.
        sizes: ``in_channels``, ``out_channels``, ``output``, ``kernel``, ``stride``, ``flops``.
        library_s: Time of oneDNN with packed weights, in seconds.
        work: float64 ``(M, len(WORK))``, 0 for methods that are not offered.
        estimate: float64 ``(M,)``, speed-up by the roofline, 0 for methods that are not offered.
        speedup: float64, times as fast as oneDNN; 0 for a failure, NaN where not offered.
        scratch_bytes: float64, scratch memory.
        compile_s: float64 ``(M, W)``, processor time of the compiler.
    """

    name: str
    split: str
    sizes: dict[str, Any]
    library_s: float
    work: NDArray[np.float64]
    estimate: NDArray[np.float64]
    speedup: NDArray[np.float64]
    scratch_bytes: NDArray[np.float64]
    compile_s: NDArray[np.float64]

    @property
    def masks(self) -> list[NDArray[np.bool_]]:
        """The offered values in each dimension of the space, bool ``(M,)`` to ``(W,)``."""
        offered = np.argwhere(~np.isnan(self.speedup))
        masks = [np.zeros(size, np.bool_) for size in self.speedup.shape]
        for mask, index in zip(masks, offered.T, strict=True):
            mask[index] = True
        return masks


@cache
def shipped() -> dict[str, Any]:
    """The shipped table as JSON.

    Raises:
        InputError: There is none, or it is damaged.
    """
    path = files("envs").joinpath(FILE)
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"the table {path} cannot be read: {error}") from error
    return found


def measured_on() -> Machine:
    """The machine that the shipped table was measured on, as its head describes it."""
    return Machine.from_json(shipped()["machine"])


@cache
def replay() -> dict[str, Table]:
    """The measured tables by layer."""
    head = shipped()
    return {name: _table(name, row, head) for name, row in head["layers"].items()}


def _table(name: str, row: dict[str, Any], head: dict[str, Any]) -> Table:
    shape = tuple(head["sizes"])
    work, estimate = np.zeros((shape[0], len(WORK))), np.zeros(shape[0])
    speedup, scratch = np.full(shape, np.nan), np.zeros(shape)
    compile_s = np.zeros((shape[0], shape[-1]))
    for method, one in row["methods"].items():
        i = head["methods"].index(method)
        work[i] = [one["work"][key] for key in WORK]
        estimate[i] = one["estimate"]
        speedup[i] = np.array(one["speedup"], np.float64).reshape(shape[1:])
        scratch[i] = np.array(one["scratch_bytes"]).reshape(shape[1:])
        compile_s[i] = one["compile_s"]
    return Table(
        name,
        row["split"],
        row["sizes"],
        row["library_s"],
        work,
        estimate,
        speedup,
        scratch,
        compile_s,
    )


def layers(names: Sequence[str] | None) -> list[Table]:
    """The measured tables of layers, in their order; all for None.

    Raises:
        InputError: A name is none of a layer, or there is no name.
    """
    tables = replay()
    if names is None:
        return list(tables.values())
    if isinstance(names, str) or not len(names):
        raise InputError(f"layers is {names!r}; allowed: a list of layers, or None for all")
    return [tables[choose("layer", name, [*tables])] for name in names]


Model = Callable[..., Any]
"""Maps a problem and a machine to the log speed-up of every choice, NaN where not offered."""


def found_model(name: str | Model) -> Model:
    """A model, or the one of a name of the table, which is imported when it is called.

    Raises:
        InputError: It is no such name (:func:`envs.arguments.offered`); or, from the model, it does
            not take a problem and a machine.
    """
    if isinstance(name, str):
        check_listed(name, "model", offered("model"))

    def call(problem: Any, machine: Machine) -> Any:
        function: Model = (
            resolve_listed(name, "model", offered("model")) if isinstance(name, str) else name
        )
        try:
            signature(function).bind(problem, machine)
        except TypeError as error:
            raise InputError(f"model {name} takes no problem and machine: {error}") from error
        return function(problem, machine)

    return call


def predicted(tables: Sequence[Table], model: Model, machine: Machine) -> list[Table]:
    """The tables with a model's predictions in place of measurements.

    Choices that it predicts as NaN are not offered.

    Args:
        tables: Measured tables of named layers.
        model: The model.
        machine: The machine that it predicts for.

    Raises:
        InputError: It gives an array of another shape, or offers nothing.
    """
    from hardware_sim.kernels.layers import find  # torch is slow to import

    found = []
    for table in tables:
        predictions = np.asarray(model(find(table.name).problem, machine), np.float64)
        if predictions.shape != table.speedup.shape:
            raise InputError(
                f"the model gives an array {predictions.shape} for {table.name}; "
                f"expected {table.speedup.shape}"
            )
        if np.isnan(predictions).all():
            raise InputError(f"the model offers no choice for {table.name}")
        found.append(replace(table, speedup=np.exp(predictions)))
    return found


def planned(tables: Sequence[Table], machine: Machine) -> list[Table]:
    """The tables with the methods as a machine offers them, to be measured there.

    Masks, work and estimates are that machine's. Speed-ups (0 where there is none) and oneDNN's
    times stay those of the machine that the tables were measured on.

    Args:
        tables: Measured tables of named layers.
        machine: The machine that measures.
    """
    from hardware_sim.kernels import roofline, space  # torch is slow to import
    from hardware_sim.kernels.layers import find

    found = []
    for table in tables:
        problem = find(table.name).problem
        masks = space.masks(problem, machine)
        work, estimate = np.zeros_like(table.work), np.zeros_like(table.estimate)
        for method in np.flatnonzero(masks[0]).tolist():
            done, estimate[method] = roofline.by_default(problem, method, machine)
            work[method] = [getattr(done, name) for name in WORK]
        speedup, open_ = np.full(table.speedup.shape, np.nan), np.ix_(*masks)
        speedup[open_] = np.nan_to_num(table.speedup[open_], nan=0.0)
        found.append(replace(table, work=work, estimate=estimate, speedup=speedup))
    return found
