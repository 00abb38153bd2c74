"""The ids of the web: flight sites, small tasks, and those of an installed MiniWoB++."""

from envs.entry import Entry
from envs.web.miniwob.package import tasks as miniwob_tasks
from envs.web.tasks.catalogue import TASKS


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
        splits=("train", "test"),
    )


def _flights(name: str, summary: str) -> Entry:
    return _web(name, f"envs.web.sites.task:FlightTask:{name.lower()}", summary)


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
        bridged=True,
    )


ENTRIES = (
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
    *map(_miniwob, miniwob_tasks()),
)
