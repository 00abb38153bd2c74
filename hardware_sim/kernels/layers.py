"""Named convolution layers of published networks, divided into those to train on and those to test.

VGG-16 (Simonyan and Zisserman 2015), AlexNet in one column (Krizhevsky 2014), Inception-v3 (Szegedy
et al. 2016), ResNet-18 (He et al. 2016) and OverFeat, the fast model (Sermanet et al. 2014); batch
1. ResNet and OverFeat are for testing: no layer of the test split has a shape of the other. Layers
of C3D (Tran et al. 2015, arXiv 1412.0767, figure 3), in three dimensions, are a split of their own.
"""

from dataclasses import dataclass
from typing import Literal

from hardware_sim.errors import InputError, choose
from hardware_sim.kernels.convolution import Problem

Split = Literal["train", "test", "volumes"]
SPLITS: tuple[Split, ...] = ("train", "test", "volumes")


@dataclass(frozen=True)
class Layer:
    """A layer of a network.

    Attributes:
        name: Network and place in it, such as ``"VGG4.2"``.
        problem: Its convolution.
        split: ``train``, ``test`` or ``volumes``.
    """

    name: str
    problem: Problem
    split: Split


def _square(
    channels: int, size: int, outputs: int, kernel: int, padding: int = 0, stride: int = 1
) -> Problem:
    return Problem(channels, outputs, (size, size), (kernel, kernel), (stride,), (padding,))


_TRAIN = {
    "VGG1.1": _square(3, 224, 64, 3, 1),
    "VGG1.2": _square(64, 224, 64, 3, 1),
    "VGG2.1": _square(64, 112, 128, 3, 1),
    "VGG3.1": _square(128, 56, 256, 3, 1),
    "VGG3.2": _square(256, 56, 256, 3, 1),
    "VGG4.1": _square(256, 28, 512, 3, 1),
    "VGG5.1": _square(512, 14, 512, 3, 1),
    "AlexNet1": _square(3, 224, 64, 11, 2, 4),
    "AlexNet2": _square(64, 27, 192, 5, 2),
    "AlexNet3": _square(192, 13, 384, 3, 1),
    "AlexNet5": _square(256, 13, 256, 3, 1),
    "Inception2b": _square(32, 147, 64, 3, 1),
    "Inception5x5": _square(48, 35, 64, 5, 2),
    "Inception6a": _square(288, 35, 384, 3, 0, 2),
}
_TEST = {
    "ResNet1": _square(3, 224, 64, 7, 3, 2),
    "ResNet2": _square(64, 56, 64, 3, 1),
    "ResNet3a": _square(64, 56, 128, 3, 1, 2),
    "ResNet3": _square(128, 28, 128, 3, 1),
    "ResNet4": _square(256, 14, 256, 3, 1),
    "ResNet5": _square(512, 7, 512, 3, 1),
    "OverFeat1": _square(3, 231, 96, 11, 0, 4),
    "OverFeat2": _square(96, 24, 256, 5),
    "OverFeat3": _square(256, 12, 512, 3, 1),
    "OverFeat4": _square(512, 12, 1024, 3, 1),
}
_VOLUMES = {
    "C3D4b": Problem(512, 512, (4, 14, 14), (3, 3, 3), padding=(1,)),
    "C3D5a": Problem(512, 512, (2, 7, 7), (3, 3, 3), padding=(1,)),
}
LAYERS: dict[str, Layer] = {
    **{name: Layer(name, problem, "train") for name, problem in _TRAIN.items()},
    **{name: Layer(name, problem, "test") for name, problem in _TEST.items()},
    **{name: Layer(name, problem, "volumes") for name, problem in _VOLUMES.items()},
}
"""By name."""


def find(name: str) -> Layer:
    """The layer of that name.

    Raises:
        InputError: There is none; the message lists them.
    """
    return LAYERS[choose("layer", name, [*LAYERS])]


def named(names: str | list[str]) -> list[Layer]:
    """The layers of a split, or those that are named.

    Raises:
        InputError: A name is none of a layer, or there is no name.
    """
    if isinstance(names, str):
        choose("split", names, [*SPLITS])
        return [layer for layer in LAYERS.values() if layer.split == names]
    if not names:
        raise InputError("layers is empty; allowed: a split, or at least one layer")
    return [find(name) for name in names]
