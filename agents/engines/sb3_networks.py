"""Networks of a run or a checkpoint, described by plain values: a table for each name.

``{"extractor": name, "network": name or None, "policy_kwargs": {...}}``; nothing in it is code.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from agents.engines.sb3_policy import Extractor
from agents.tables import networks
from hardware_sim.errors import InputError, choose
from hardware_sim.naming import check_listed

ACTIVATIONS: dict[str, type[nn.Module]] = {
    kind.__name__: kind
    for kind in (
        nn.ELU,
        nn.GELU,
        nn.Hardtanh,
        nn.Identity,
        nn.LeakyReLU,
        nn.Mish,
        nn.ReLU,
        nn.SELU,
        nn.SiLU,
        nn.Sigmoid,
        nn.Softplus,
        nn.Softsign,
        nn.Tanh,
    )
}
OPTIMISERS: dict[str, type[torch.optim.Optimizer]] = {
    kind.__name__: kind
    for kind in (torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop, torch.optim.SGD)
}
WIDEST, DEEPEST = 2**14, 32
"""The most units of a layer, and the most layers."""


def check_description(described: Any) -> None:
    """Checks a description of networks, wherever it comes from.

    Raises:
        InputError: A part is missing, unknown or of another kind, or a name is in no table.
    """
    parts = {"extractor", "network", "policy_kwargs"}
    if not isinstance(described, dict) or not {"extractor"} <= described.keys() <= parts:
        raise InputError("networks are described by extractor, network and policy_kwargs")
    check_listed(described["extractor"], "extractor", networks())
    if described.get("network") is not None:
        check_listed(described["network"], "network", networks())
    check_policy_kwargs(described.get("policy_kwargs", {}))


def check_policy_kwargs(given: Any) -> None:
    """Checks the policy's arguments, as JSON has them.

    Raises:
        InputError: See :func:`check_description`.
    """
    if not isinstance(given, dict):
        raise InputError(f"policy_kwargs is {given!r}; allowed: an object of arguments")
    for name, value in given.items():
        CHECKS[choose("argument of policy_kwargs", name, list(CHECKS))](name, value)


def policy_kwargs(described: dict[str, Any]) -> dict[str, Any]:
    """Arguments of the policy class for a description.

    Raises:
        InputError: See :func:`check_description`.
    """
    check_description(described)
    kwargs = dict(described.get("policy_kwargs", {}))
    if "activation_fn" in kwargs:
        kwargs["activation_fn"] = ACTIVATIONS[kwargs["activation_fn"]]
    if "optimizer_class" in kwargs:
        kwargs["optimizer_class"] = OPTIMISERS[kwargs["optimizer_class"]]
    if described.get("network"):
        return kwargs | {"network": described["network"]}
    extractor = {"extractor": described["extractor"]} | kwargs.pop("features_extractor_kwargs", {})
    return kwargs | {
        "features_extractor_class": Extractor,
        "features_extractor_kwargs": extractor,
    }


def _flag(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise InputError(f"{name} is {value!r}; allowed: true or false")


def _number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name} is {value!r}; allowed: a number")


def _one_of(table: dict[str, Any]) -> Callable[[str, Any], None]:
    def check(name: str, value: Any) -> None:
        choose(name, str(value), list(table))

    return check


def _layers(name: str, value: Any) -> None:
    """Widths of layers, or of those of ``pi``, ``vf`` and ``qf``."""
    if isinstance(value, dict):
        for key, part in value.items():
            _layers(f"{choose(f'part of {name}', key, ('pi', 'vf', 'qf'))} of {name}", part)
        return
    fitting = isinstance(value, list) and len(value) <= DEEPEST
    if not fitting or not all(type(width) is int and 0 < width <= WIDEST for width in value):
        raise InputError(
            f"{name} is {value!r}; allowed: at most {DEEPEST} widths from 1 to {WIDEST}"
        )


def _plain(name: str, value: Any) -> None:
    """Arguments by name: numbers, flags, texts, and lists of numbers."""
    if not isinstance(value, dict):
        raise InputError(f"{name} is {value!r}; allowed: an object of arguments")
    for key, part in value.items():
        numbers = isinstance(part, list) and all(isinstance(each, int | float) for each in part)
        if not numbers and part is not None and not isinstance(part, bool | int | float | str):
            raise InputError(f"{key} of {name} is {part!r}; allowed: numbers, flags and texts")
        if type(part) is int and abs(part) > WIDEST:
            raise InputError(f"{key} of {name} is {part}; allowed: at most {WIDEST}")


def _extractor(name: str, value: Any) -> None:
    _plain(name, value)
    if "extractor" in value:
        check_listed(value["extractor"], "extractor", networks())


CHECKS: dict[str, Callable[[str, Any], None]] = {
    "activation_fn": _one_of(ACTIVATIONS),
    "clip_mean": _number,
    "features_extractor_kwargs": _extractor,
    "full_std": _flag,
    "log_std_init": _number,
    "n_critics": _number,
    "net_arch": _layers,
    "normalize_images": _flag,
    "optimizer_class": _one_of(OPTIMISERS),
    "optimizer_kwargs": _plain,
    "ortho_init": _flag,
    "share_features_extractor": _flag,
    "squash_output": _flag,
    "use_expln": _flag,
    "use_sde": _flag,
}
"""The policy's arguments that a configuration may have, each with its check."""
