"""The one table of environment ids."""

import json
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import gymnasium as gym

from envs.web.miniwob.package import tasks as miniwob_tasks
from envs.web.tasks.catalogue import TASKS
from hardware_sim.errors import InputError, choose


@dataclass(frozen=True)
class Entry:
    """One environment id and what people need to know about it.

    Attributes:
        name: The id without version, such as ``"DevicePlacement-InceptionV3"``.
        version: The version; a change that changes results raises it.
        domain: The folder under ``envs/`` that holds the environment.
        entry_point: ``"module:class"`` of the environment.
        vector_entry_point: ``"module:class"`` of the natively vectorised class, if there is one.
        backend: What is behind it, such as ``"simulator"``.
        summary: One line for people.
        kwargs: Constructor arguments; JSON-serialisable.
        max_episode_steps: A step limit, where the environment has no end of its own.
        deterministic: The same seed and actions give the same trajectory; ``False`` where it
            measures. Other arguments may change that, so an environment that can measure says as
            built, by an attribute of this name.
    """

    name: str
    version: int
    domain: str
    entry_point: str
    vector_entry_point: str | None
    backend: str
    summary: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    max_episode_steps: int | None = None
    deterministic: bool = True

    @property
    def id(self) -> str:
        """The full id, ``Name-vN``."""
        return f"{self.name}-v{self.version}"


def _placement(name: str, summary: str, **kwargs: Any) -> Entry:
    return Entry(
        name=f"DevicePlacement-{name}",
        version=0,
        domain="placement",
        entry_point="envs.placement.env:DevicePlacementEnv",
        vector_entry_point="envs.placement.vector:DevicePlacementVectorEnv",
        backend="simulator",
        summary=summary,
        kwargs=kwargs,
    )


def _web(name: str, task: str, summary: str) -> Entry:
    return Entry(
        name=f"WoB-{name}",
        version=0,
        domain="web",
        entry_point="envs.web.env:WebEnv",
        vector_entry_point="envs.web.vector:WebVectorEnv",
        backend="browser, virtual time",
        summary=summary,
        kwargs={"task": task},
    )


def _softmax(name: str, summary: str) -> Entry:
    return Entry(
        name=name,
        version=0,
        domain="softmax",
        entry_point="envs.softmax.env:AdaptiveSoftmaxEnv",
        vector_entry_point="envs.softmax.vector:AdaptiveSoftmaxVectorEnv",
        backend="table of measured times",
        summary=summary,
        kwargs={"split": "train"},
    )


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
    )


def _dance(name: str, task: str, summary: str) -> Entry:
    return Entry(
        name=name,
        version=0,
        domain="dance",
        entry_point="envs.dance.env:DanceEnv",
        vector_entry_point="envs.dance.vector:DanceVectorEnv",
        backend="recorded songs and frozen critics",
        summary=summary,
        kwargs={"task": task},
    )


def _flights(name: str, summary: str) -> Entry:
    return _web(name, f"envs.web.sites.task:FlightTask:{name.lower()}", summary)


_LOOPS = Entry(
    name="LoopSchedule",
    version=0,
    domain="loops",
    entry_point="envs.loops.env:LoopScheduleEnv",
    vector_entry_point="envs.loops.vector:LoopScheduleVectorEnv",
    backend="cost model",
    summary="schedule the loops of a matrix product or a convolution; measured with Halide, too",
    kwargs={"operations": ["matmul", "conv"]},
)


ENTRIES: dict[str, Entry] = {
    entry.id: entry
    for entry in (
        _placement(
            "InceptionV3",
            "a training step of Inception-V3, batch 32, on one Xeon and four K80 GPUs",
            graphs=["inception_v3_training"],
            cluster="xeon_4xk80",
        ),
        _placement(
            "InceptionV3-2GPU",
            "a training step of Inception-V3, batch 32, on one Xeon and two K80 GPUs",
            graphs=["inception_v3_training"],
            cluster="xeon_2xk80",
        ),
        _placement(
            "InceptionV3-V100",
            "inference of Inception-V3, batch 32, on four V100 GPUs with NVLink",
            graphs=["inception_v3"],
            cluster="4xv100_nvlink",
        ),
        _placement(
            "NASNet",
            "measured inference of NASNet-A, op by op, on four V100 GPUs with PCIe 3",
            graphs=["pipedream_nasnetamobile"],
            cluster="4xv100_pcie3",
        ),
        _placement(
            "BERT24",
            "a measured training step of BERT-24 on six V100 GPUs",
            graphs=["msr_bert24_training"],
            cluster="6xv100_msr",
            out_of_memory="mask",
        ),
        _placement(
            "GPT2Decode",
            "a traced decoding step of GPT-2 with sharded attention on twelve equal processors",
            graphs=["dagbench_gpt2"],
            cluster="12x_unit",
        ),
        _placement(
            "Mixed",
            "one of four networks an episode, on four V100 GPUs with PCIe 3",
            graphs=["inception_v3", "pipedream_inception_v3", "pipedream_resnet50", "msr_bert_l3"],
            cluster="4xv100_pcie3",
        ),
        _LOOPS,
        _softmax("AdaptiveSoftmax", "cut a vocabulary into a head and tails for fast training"),
        Entry(
            name="CompactFeature",
            version=0,
            domain="compact",
            entry_point="envs.compact.env:CompactFeatureEnv",
            vector_entry_point="envs.compact.vector:CompactFeatureVectorEnv",
            backend="replay table",
            summary="channels to keep of each feature map of a network, for speed and accuracy",
        ),
        _tuning("", "tune the kernel of a drawn layer's convolution", layers=None, split="train"),
        _tuning("VGG1.2", "tune a convolution kernel: large image, few channels"),
        _tuning("VGG4.1", "tune a convolution kernel: many channels"),
        _tuning("AlexNet2", "tune a convolution kernel: 5x5"),
        _tuning("ResNet2", "tune a convolution kernel: the first stage of ResNet"),
        _tuning("ResNet5", "tune a convolution kernel: the last stage of ResNet, 7x7 pixels"),
        _tuning("OverFeat2", "tune a convolution kernel: 5x5, no padding"),
        _tuning("OverFeat4", "tune a convolution kernel: weights that exceed the cache"),
        _tuning("C3D4b", "tune a convolution kernel in three dimensions"),
        _dance(
            "Choreography", "choreography", "write a dance chart as the song goes: when and where"
        ),
        _dance("StepPlacement", "placement", "say when to step in a song"),
        _dance("StepSelection", "selection", "choose the panels of steps at the times of a chart"),
        _flights("United", "book a flight: radio buttons, calendar, selects"),
        _flights("Alaska", "book a flight: calendar, stepper, select, real instructions"),
        _flights("AA", "book a flight: calendar, lists, real instructions"),
        _flights("JetBlue", "book a flight: typed dates, list, stepper, choice"),
        _flights("Generic", "book a flight on a site kept for transfer: train on the others"),
        _flights("Meridian", "book a flight on a site kept for the last judgement of transfer"),
        *(
            _web(name, f"envs.web.tasks.catalogue:make:{name}", summary)
            for name, (_, summary) in TASKS.items()
        ),
    )
}


def _miniwob(task: str) -> Entry:
    return Entry(
        name=f"WoB-MiniWoB-{task}",
        version=0,
        domain="web",
        entry_point="envs.web.miniwob.env:MiniWoBEnv",
        vector_entry_point=None,
        backend="browser, virtual time",
        summary=f"the task {task} of MiniWoB++",
        kwargs={"task": task},
    )


BRIDGED: dict[str, Entry] = {entry.id: entry for entry in map(_miniwob, miniwob_tasks())}
"""Ids of what other installed packages offer; they have no reference scores."""


def register_all() -> None:
    """Registers every id with Gymnasium; calling it again changes nothing."""
    for entry in (*ENTRIES.values(), *BRIDGED.values()):
        if entry.id not in gym.registry:
            gym.register(
                id=entry.id,
                entry_point=entry.entry_point,
                vector_entry_point=entry.vector_entry_point,
                kwargs=entry.kwargs,
                max_episode_steps=entry.max_episode_steps,
            )


def is_ours(env_id: str) -> bool:
    """Whether an id, with or without the leading ``envs:``, is registered here."""
    name = env_id.removeprefix("envs:")
    return name in ENTRIES or name in BRIDGED


def find(env_id: str) -> Entry:
    """The entry for an id, with or without the leading ``envs:``.

    Raises:
        InputError: The id is not registered here; the message lists the ids of the table.
    """
    name = env_id.removeprefix("envs:")
    return BRIDGED[name] if name in BRIDGED else ENTRIES[choose("environment", name, list(ENTRIES))]


def training_settings(env_id: str) -> dict[str, Any]:
    """The domain's training settings, from ``training.json`` beside the environment.

    Returns:
        ``{"extractor": "module:class" or null, "network": likewise, if a network of the domain's
        own takes the place of extractor and heads, "algo": default algorithm, "steps": default
        number, "hyperparameters": {algorithm: {...}}, "search_space": {algorithm: {name: {...}}},
        "seeds": {"train": [...], "validation": [...], "test": [...]}}``.
    """
    domain = find(env_id).domain
    text = files("envs").joinpath(domain, "training.json").read_text()
    settings: dict[str, Any] = json.loads(text)
    return settings


@cache
def _references() -> dict[str, dict[str, Any]]:
    path = files("envs").joinpath("references.json")
    table: dict[str, dict[str, Any]] = json.loads(path.read_text())
    return table


def references(env_id: str) -> dict[str, Any]:
    """Reference scores of an id, in the domain's own unit.

    Returns:
        ``{"unit": "s", "better": "lower", "random": {"score": x, "source": "..."},
        "reference": {...}, "bound": {...}, ...}``; each entry names its source. ``reference`` is
        what the normalised score calls 1.

    Raises:
        InputError: The id has no reference scores.
    """
    entry = find(env_id)
    if entry.id not in _references():
        raise InputError(f"{entry.id} has no reference scores in envs/references.json")
    return deepcopy(_references()[entry.id])


def normalised(env_id: str, score: float) -> float:
    """(score - random) / (reference - random): 0 is random, 1 is the reference."""
    table = references(env_id)
    random, reference = table["random"]["score"], table["reference"]["score"]
    return float((score - random) / (reference - random))
