"""The ids of the web: flight sites, small tasks, and those of an installed MiniWoB++."""

from envs.entry import Argument, Entry
from envs.web.miniwob.package import tasks as miniwob_tasks
from envs.web.tasks.catalogue import TASKS

SITES = {
    "United": "book a flight: radio buttons, calendar, selects",
    "Alaska": "book a flight: calendar, stepper, select, real instructions",
    "AA": "book a flight: calendar, lists, real instructions",
    "JetBlue": "book a flight: typed dates, list, stepper, choice",
    "Generic": "book a flight on a site kept for transfer: train on the others",
    "Meridian": "book a flight on a site kept for the last judgement of transfer",
}
NAMES = {name: f"envs.web.sites.task:FlightTask:{name.lower()}" for name in SITES} | {
    name: f"envs.web.tasks.catalogue:make:{name}" for name in TASKS
}
VARIED = "envs.web.sites.variation:VariedFlightTask"
"""Flights on sites that are drawn anew; it is for training and has no id."""

ARGUMENTS = {
    "task": Argument(str, choices=(*NAMES.values(), VARIED), named=True),
    "backend": Argument(str, choices=("shell", "chromium", "selenium", "twin")),
    "pixels": Argument(bool),
    "actions": Argument(str, choices=("elements", "events", "text")),
    "frame_rate": Argument(float, low=0, high=1000),
    "max_events": Argument(int, low=1, high=1000),
}
MINIWOB_ARGUMENTS = {
    "task": Argument(str, choices=miniwob_tasks()),
    "backend": Argument(str, choices=("shell", "chromium")),
    "pixels": Argument(bool),
    "max_steps": Argument(int, low=1, high=100_000),
    "fresh_page": Argument(bool, optional=True),
}


def _web(name: str, summary: str) -> Entry:
    return Entry(
        name=f"WoB-{name}",
        version=0,
        domain="web",
        entry_point="envs.web.env:WebEnv",
        vector_entry_point="envs.web.vector:WebVectorEnv",
        backend="browser, virtual time",
        summary=summary,
        kwargs={"task": NAMES[name]},
        splits=("train", "test"),
        arguments=ARGUMENTS,
    )


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
        splits=("train", "test"),
        arguments=MINIWOB_ARGUMENTS,
        bridged=True,
    )


ENTRIES = (
    *(_web(name, summary) for name, summary in SITES.items()),
    *(_web(name, summary) for name, (_, summary) in TASKS.items()),
    *map(_miniwob, miniwob_tasks()),
)
