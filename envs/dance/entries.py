"""The ids of dance charts."""

from typing import Any

from envs.entry import Argument, Entry

ARGUMENTS = {
    "task": Argument(str, choices=("choreography", "placement", "selection")),
    "songs": Argument(str),
    "split": Argument(str),
    "critic": Argument(str, choices=("envs.dance.row_critic:RowModel",), optional=True, named=True),
    "playability": Argument(float),
    "density": Argument(float),
    "imitation": Argument(float),
    "variety": Argument(float),
}


def _dance(name: str, task: str, summary: str, version: int = 0, **kwargs: Any) -> Entry:
    return Entry(
        name=name,
        version=version,
        domain="dance",
        entry_point="envs.dance.env:DanceEnv",
        vector_entry_point="envs.dance.vector:DanceVectorEnv",
        backend="recorded songs and frozen critics",
        summary=summary,
        kwargs={"task": task, **kwargs},
        splits=("train", "test"),
        arguments=ARGUMENTS,
        superseded=task == "selection" and version == 0,
        critics=("dance-placement", "dance-rows"),
        judges=("dance-judge", "dance-critic"),
    )


SELECTION = "choose the panels of steps at the times of a chart"

ENTRIES = (
    _dance("Choreography", "choreography", "write a dance chart as the song goes: when and where"),
    _dance("StepPlacement", "placement", "find the times of steps in a song"),
    _dance("StepSelection", "selection", SELECTION, 1, variety=1.0),
    _dance("StepSelection", "selection", SELECTION),
)
