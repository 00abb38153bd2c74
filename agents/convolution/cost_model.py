"""A cost model of convolution kernels, learned from measurements of other layers.

The prediction is the mean of a few small networks, each from features of a variant (operations,
working sets against the caches, traffic, how well blocks divide) to its log speed-up over oneDNN.
It serves to try variants in the order of predicted speed, and as the reward of an environment with
``backend="model", model="agents.convolution.cost_model:predict"``.
"""

import math
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.convolution.search import Open, Ranked, Search
from agents.pretrained import pretrained
from envs.weights import load_weights
from hardware_sim.kernels import roofline, space
from hardware_sim.kernels.convolution import Problem
from hardware_sim.kernels.layers import find
from hardware_sim.kernels.space import Choice
from hardware_sim.kernels.variant import Plan, Variant
from hardware_sim.machine import Machine

NAME = "convolution-model"
MEMBERS = 8
HIDDEN = 48
FEATURES = 28 + len(space.METHODS)
ROOFLINE = 26
"""Place of the roofline's log speed-up among the features; networks predict its error."""


class CostModel(nn.Module):
    """An ensemble of networks from :func:`features` to log speed-ups.

    Args:
        members: Networks.
        hidden: Width of their two layers.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, members: int = MEMBERS, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("scale", torch.ones(FEATURES))
        self.networks = nn.ModuleList(
            nn.Sequential(
                nn.Linear(FEATURES, hidden),
                nn.SiLU(),
                nn.Linear(hidden, hidden),
                nn.SiLU(),
                nn.Linear(hidden, 1),
            )
            for _ in range(members)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Log speed-ups ``(members, N)`` of features ``(N, FEATURES)``."""
        scaled = (features - self.mean) / self.scale
        corrections = torch.stack([network(scaled)[:, 0] for network in self.networks])
        return features[:, ROOFLINE] + corrections


def features(
    problem: Problem, variant: Variant, method: int, machine: Machine
) -> NDArray[np.float32]:
    """Features of a variant, float32 ``(FEATURES,)``; mostly base-two logarithms."""
    plan, done = Plan(problem, variant, machine), roofline.work(problem, variant, machine)
    pixels, taps = math.prod(problem.output), math.prod(problem.kernel)
    ends = math.prod(problem.input_shape) + math.prod(problem.output_shape)
    l2, l3 = machine.l2_bytes, machine.l3_bytes
    rows, width = plan.isa.rows, plan.isa.width
    items = -(-plan.tiles // plan.block)
    cuts = -(-plan.block // rows)
    panels = plan.panels if variant.is_transformed else 1
    amounts = (
        done.products / problem.flops,
        (done.transforms + 1) / problem.flops,
        done.weight_bytes / l2,
        done.weight_bytes / l3,
        done.weight_traffic / (4 * ends),
        done.block_bytes / l2,
        (done.block_traffic + 1) / (4 * ends),
        (done.scratch_bytes + 4096) / l2,
        (done.scratch_bytes + 4096) / l3,
        plan.block,
        plan.tiles,
        items,
        panels,
        plan.panels_in_all,
        problem.in_channels,
        problem.out_channels,
        pixels,
        taps,
        problem.flops / (4 * ends),
        problem.flops,
        math.prod(problem.stride),
        width,
        4 * ends / l3,
    )
    shares = (
        plan.tiles / (items * plan.block),
        plan.block / (cuts * rows),
        plan.channels / (-(-plan.channels // width) * width),
        math.log(roofline.library_s(problem) / roofline.seconds(problem, variant, machine)),
        float(len(problem.size)),
    )
    kind = np.zeros(len(space.METHODS))
    kind[method] = 1.0
    return np.array([*(math.log2(each) for each in amounts), *shares, *kind], np.float32)


def table(problem: Problem, machine: Machine) -> tuple[list[list[Choice]], NDArray[np.float32]]:
    """The choices that mean each variant of a problem, and their features ``(N, FEATURES)``."""
    found = space.choices(problem, machine)
    rows = [
        features(problem, variant, choices[0][0], machine) for variant, choices in found.items()
    ]
    return list(found.values()), np.stack(rows)


def judge(model: CostModel, problem: Problem, machine: Machine) -> NDArray[np.float64]:
    """A model's predicted log speed-ups, float64 ``space.SIZES``, NaN where not offered."""
    meanings, rows = table(problem, machine)
    with torch.no_grad():
        predictions = model(torch.from_numpy(rows)).mean(dim=0).numpy()
    found = np.full(space.SIZES, np.nan)
    for choices, prediction in zip(meanings, predictions, strict=True):
        for choice in choices:
            found[choice] = prediction
    return found


@cache
def shipped() -> CostModel:
    """The pretrained model."""
    model = CostModel()
    load_weights(model, pretrained(NAME))
    return model


def predict(problem: Problem, machine: Machine) -> NDArray[np.float64]:
    """The pretrained model's predicted log speed-ups on a machine; see :func:`judge`."""
    return judge(shipped(), problem, machine)


class CostModelAgent(Ranked):
    """Tries variants in the order of the pretrained model's predictions."""

    def predict(self, layer: str) -> NDArray[np.float64]:
        """The pretrained model's predicted log speed-ups."""
        return predict(find(layer).problem, self.machine)


class AdaptiveAgent(CostModelAgent):
    """Corrects the pretrained model's predictions by measurements, and tries the most promising.

    The model's error is a Gaussian process over the choices: alike for variants of a method, the
    more so for neighbouring blocks. The next variant is the one with the greatest upper confidence
    bound (Srinivas et al., ICML 2010).
    """

    spread, noise, confidence = 0.2, 0.03, 0.5

    def search(self, open_: Open, layer: str) -> Search:
        """The most promising of the variants that were not tried."""
        predictions = self.predict(layer)
        different = space.choices(find(layer).problem, self.machine)
        found = [choices[0] for choices in different.values()]
        prior = np.array([predictions[choice] for choice in found])
        covariance = self.spread**2 * likeness(np.array(found, np.float64))
        tried: list[int] = []
        errors: list[float] = []
        while len(tried) < len(found):
            mean, deviation = prior, np.sqrt(covariance.diagonal())
            if tried:
                known = covariance[np.ix_(tried, tried)] + self.noise**2 * np.eye(len(tried))
                gain = np.linalg.solve(known, covariance[tried]).T
                mean = prior + gain @ np.array(errors)
                left = covariance.diagonal() - np.einsum("ij,ji->i", gain, covariance[tried])
                deviation = np.sqrt(left.clip(min=0.0))
            bound = mean + self.confidence * deviation
            bound[tried] = -np.inf
            best = int(bound.argmax())
            speed = yield found[best]
            tried.append(best)
            errors.append(speed - prior[best])


def likeness(choices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of a model's errors between choices ``(N, 4)``, float64 ``(N, N)``."""
    method, block, panels, width = (np.abs(column[:, None] - column) for column in choices.T)
    near = np.exp(-0.1 * block**2 - 0.1 * panels**2 - 0.1 * width)
    alike: NDArray[np.float64] = 0.3 + 0.7 * (method == 0) * near
    return alike
