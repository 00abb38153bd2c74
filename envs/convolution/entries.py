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
}


def _tuning(name: str, summary: str, **kwargs: Any) -> Entry:
    return Entry(
        name="-".join(filter(None, ("ConvTuning", name))),
        version=0,
        domain="convolution",
        entry_point="envs.convolution.env:ConvTuningEnv",
        vector_entry_point="envs.convolution.vector:ConvTuningVectorEnv",
        backend="replayed measurements",
        summary=summary,
        kwargs=kwargs or {"layers": [name]},
        arguments=ARGUMENTS,
    )


ENTRIES = (
    _tuning("", "tune the kernel of a drawn layer's convolution", layers=None, split="train"),
    _tuning("VGG1.2", "tune a convolution kernel: large image, few channels"),
    _tuning("VGG4.1", "tune a convolution kernel: many channels"),
    _tuning("AlexNet2", "tune a convolution kernel: 5x5"),
    _tuning("ResNet2", "tune a convolution kernel: the first stage of ResNet"),
    _tuning("ResNet5", "tune a convolution kernel: the last stage of ResNet, 7x7 pixels"),
    _tuning("OverFeat2", "tune a convolution kernel: 5x5, no padding"),
    _tuning("OverFeat4", "tune a convolution kernel: weights that exceed the cache"),
    _tuning("C3D4b", "tune a convolution kernel in three dimensions"),
)
