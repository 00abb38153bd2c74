"""The ids of tuning convolution kernels."""

from typing import Any

from envs.entry import Argument, Entry

ARGUMENTS = {
    "layers": Argument(str, many=True, optional=True),
    "split": Argument(str, choices=("train", "test", "volumes", "all")),
    "backend": Argument(str, choices=("replay", "measured", "model")),
    "model": Argument(str, choices=("hardware_sim.kernels.roofline:predict",), named=True),
    "budget": Argument(int, low=1, high=10_000),
    "memory_weight": Argument(float, low=0),
    "compile_weight": Argument(float, low=0),
    "penalty": Argument(float, low=0),
    "score": Argument(str, choices=("final", "anytime")),
}


def _tuning(name: str, summary: str, version: int, **kwargs: Any) -> Entry:
    anytime = {} if version == 0 else {"score": "anytime"}
    return Entry(
        name="-".join(filter(None, ("ConvTuning", name))),
        version=version,
        domain="convolution",
        entry_point="envs.convolution.env:ConvTuningEnv",
        vector_entry_point="envs.convolution.vector:ConvTuningVectorEnv",
        backend="replayed measurements",
        summary=summary,
        kwargs={**(kwargs or {"layers": [name]}), **anytime},
        arguments=ARGUMENTS,
        splits=("train", "test") if version and not name else (),
        superseded=version == 0,
    )


def _ids(version: int) -> tuple[Entry, ...]:
    drawn = "tune the kernel of a drawn layer's convolution"
    return (
        _tuning("", drawn, version, layers=None, split="train"),
        *(_tuning(name, f"tune a convolution kernel{more}", version) for name, more in LAYERS),
    )


LAYERS = (
    ("VGG1.2", ": large image, few channels"),
    ("VGG4.1", ": many channels"),
    ("AlexNet2", ": 5x5"),
    ("ResNet2", ": the first stage of ResNet"),
    ("ResNet5", ": the last stage of ResNet, 7x7 pixels"),
    ("OverFeat2", ": 5x5, no padding"),
    ("OverFeat4", ": weights that exceed the cache"),
    ("C3D4b", " in three dimensions"),
)
"""The layers that have an id of their own."""

ENTRIES = (*_ids(1), *_ids(0))
