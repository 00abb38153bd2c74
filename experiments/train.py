"""``gymworks train``: trains an agent and keeps everything about it in a run folder."""

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from agents.engines import engine as find_engine
from agents.engines.base import Progress as Report
from agents.engines.base import TrainConfig, qualified, settings
from agents.engines.teams import is_team
from agents.runs import Run
from envs.registration import references
from experiments.evaluate import check_options
from experiments.options import (
    AsJson,
    EnvKwargs,
    Options,
    Quiet,
    Split,
    Trust,
    as_pairs,
    aside,
    interrupted,
    pairs,
    print_json,
    printer,
    reset_options,
)
from hardware_sim.errors import InputError, choose

CHANGEABLE = ("steps", "checkpoint_every", "address")  # on resuming


def configure(
    env_id: str,
    engine: str = "sb3",
    algo: str | None = None,
    steps: int | None = None,
    seed: int = 0,
    num_envs: int | None = None,
    env_kwargs: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    hyperparameters: dict[str, Any] | None = None,
    checkpoint_every: int | None = None,
    address: str | None = None,
) -> TrainConfig:
    """A training configuration, completed from the domain's ``training.json``.

    Args:
        env_id: The environment, with or without ``envs:``.
        engine: ``"sb3"`` or ``"rllib"``.
        algo: Its algorithm; ``None`` is the domain's.
        steps: Environment steps; ``None`` is the domain's number.
        seed: The run's seed.
        num_envs: Parallel environments; ``None`` is what suits the algorithm.
        env_kwargs: Arguments of the environment.
        options: Options of every reset.
        hyperparameters: Overrides of the domain's.
        checkpoint_every: Steps between checkpoints; ``None`` is a twentieth of the run.
        address: Ray cluster.

    Raises:
        InputError: Environment, engine or algorithm is unknown, or a number is out of range.
    """
    env_id = qualified(env_id)
    if engine != "rllib" and is_team(env_id):
        raise InputError(f"{env_id} is a team of agents, which only engine rllib trains")
    defaults = settings(env_id)
    algo = algo or str(defaults["algo"])
    choose(f"algorithm of engine {engine}", algo, list(find_engine(engine).ALGORITHMS))
    steps = int(defaults["steps"]) if steps is None else steps
    copies: dict[str, int] = defaults["num_envs"]
    return TrainConfig(
        env_id=env_id,
        engine=engine,
        algo=algo,
        steps=steps,
        seed=seed,
        num_envs=copies.get(algo, copies["others"]) if num_envs is None else num_envs,
        env_kwargs=env_kwargs or {},
        options=options or {},
        hyperparameters=hyperparameters or {},
        checkpoint_every=checkpoint_every or max(1, steps // defaults["checkpoints"]),
        address=address,
    )


def default_folder(config: TrainConfig) -> Path:
    """``runs/<id>-<algo>-s<seed>``."""
    name = config.env_id.rpartition(":")[2].replace("/", "-")
    return Path("runs") / f"{name}-{config.algo}-s{config.seed}"


def train(
    config: TrainConfig,
    run_dir: str | Path | None = None,
    resume: bool = False,
    quiet: bool = False,
    report: Callable[[Report], None] | None = None,
) -> Run:
    """Trains an agent.

    Args:
        config: The training.
        run_dir: The run folder; ``None`` is :func:`default_folder`.
        resume: Continue the run in that folder instead of beginning one.
        quiet: Show no progress bar.
        report: Called with the progress as well.

    Returns:
        The finished run.

    Raises:
        InputError: The folder exists (or, resuming, holds no such run), the configuration does
            not fit, the environment refuses its options, or the disk is full.
    """
    folder = Path(run_dir) if run_dir is not None else default_folder(config)
    engine = find_engine(config.engine)
    check_options(config.env_id, config.env_kwargs, config.options)
    run = Run(folder) if resume else Run.create(folder, config.to_json())
    with run.locked():
        if resume:
            _reopen(run, config)
        try:
            with _display(config, quiet) as show:

                def forward(progress: Report) -> None:
                    show(progress)
                    if report is not None:
                        report(progress)

                engine.train(config, run, forward)
        except (InputError, KeyboardInterrupt):
            run.discard_if_untrained()
            raise
    return run


def kept(folder: Path, config: TrainConfig) -> str:
    """Describes what an interrupted training left, and how to go on."""
    if not folder.exists():
        return "interrupted before anything was trained; nothing is kept"
    return (
        f"interrupted; {Run(folder).reached:,} of {config.steps:,} steps are kept in {folder}: "
        f"gymworks train {config.env_id} --run-dir {folder} --resume goes on"
    )


def _reopen(run: Run, config: TrainConfig) -> None:
    """Checks that a run to continue was started with the same configuration.

    Raises:
        InputError: It was not, or has trained more steps already than it shall now.
    """
    folder = run.folder
    stored, asked = TrainConfig.from_json(run.config).to_json(), config.to_json()
    for name, value in asked.items():
        if value != stored[name] and name not in CHANGEABLE:
            raise InputError(f"{folder} was started with {name} {stored[name]!r}, not {value!r}")
    changes = {name: asked[name] for name in CHANGEABLE if asked[name] != stored[name]}
    if "steps" in changes and config.steps < run.reached:
        raise InputError(
            f"{folder} has trained {run.reached:,} steps already; allowed: --steps from that up, "
            "counted from its beginning"
        )
    if changes:
        run.update_config(changes)


@contextmanager
def _display(config: TrainConfig, quiet: bool) -> Iterator[Callable[[Report], None]]:
    """A live progress bar: steps, steps per second, best score, time left."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} steps"),
        TextColumn("{task.fields[state]}"),
        console=aside(),
        disable=quiet,
    )
    unit = _unit(config.env_id)
    with bar:
        task = bar.add_task(config.algo, total=config.steps, state="starting")

        def show(progress: Report) -> None:
            done, total = progress.step, max(progress.step, progress.total)
            bar.update(task, completed=done, total=total, state=describe(progress, unit))

        yield show


def describe(progress: Report, unit: str = "") -> str:
    """Speed, best score and time left for people, such as ``812/s, best 0.192 s, 0:01:20 left``."""
    parts = [f"{progress.steps_per_second:,.0f}/s"]
    if "best_score" in progress.metrics:
        parts.append(f"best {progress.metrics['best_score']:.4g} {unit}".rstrip())
    left = max(0, progress.total - progress.step) / max(progress.steps_per_second, 1e-9)
    if left < 1e7:
        parts.append(f"{timedelta(seconds=round(left))} left")
    return ", ".join(parts)


def _unit(env_id: str) -> str:
    try:
        return str(references(env_id)["unit"])
    except InputError:
        return ""


def parse_settings(pairs: list[str]) -> dict[str, Any]:
    """``["gamma=0.9", "policy_kwargs={...}"]`` as a dictionary; values are JSON or else text.

    Raises:
        InputError: A pair has no ``=``.
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise InputError(f"{pair!r} is no hyperparameter; allowed: key=value")
        try:
            values[key] = json.loads(text)
        except ValueError:
            values[key] = text
    return values


def command(
    env_id: Annotated[str, typer.Argument(metavar="ID", help="Environment.")],
    engine: Annotated[str | None, typer.Option(help="sb3 (default) or rllib.")] = None,
    algo: Annotated[str | None, typer.Option(help="Algorithm; default: the domain's.")] = None,
    steps: Annotated[int | None, typer.Option(help="Environment steps in total.")] = None,
    seed: Annotated[int | None, typer.Option(help="Default 0.")] = None,
    num_envs: Annotated[int | None, typer.Option(help="Parallel environments.")] = None,
    run_dir: Annotated[Path | None, typer.Option(help="Default: runs/<id>-<algo>-s<seed>.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run.")] = False,
    split: Split = None,
    option: Options = None,
    env: EnvKwargs = None,
    address: Annotated[str | None, typer.Option(help="Ray cluster (rllib).")] = None,
    trust: Trust = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Hyperparameter, key=value; repeatable.")
    ] = None,
) -> None:
    """Train an agent; everything about it is kept in one folder, and --resume continues it."""
    given: dict[str, Any] = {
        "engine": engine,
        "algo": algo,
        "steps": steps,
        "seed": seed,
        "num_envs": num_envs,
        "address": address,
        "env_kwargs": pairs(env or []) or None,
        "options": reset_options(split, option) or None,
        "hyperparameters": parse_settings(settings or []) or None,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if resume:
        # The folder holds the configuration; options only name what shall change.
        run_dir = run_dir or default_folder(configure(env_id, **given))
        stored = TrainConfig.from_json(Run(run_dir).config)
        if stored.address is not None and address is None:
            raise InputError(
                f"{run_dir} names the Ray cluster {stored.address!r}, which could run code here; "
                f"if it is yours: --address {stored.address}"
            )
        config = replace(stored, env_id=qualified(env_id), **given)
    else:
        config = configure(env_id, **given)
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: aside().print(
            f"gymworks: warning: {message}", markup=False, soft_wrap=True
        )
        try:
            run = train(config, run_dir, resume, quiet)
        except KeyboardInterrupt:
            interrupted(kept(run_dir or default_folder(config), config))
    last = (run.metrics() or [{}])[-1]
    if as_json:
        figures = {name: last.get(name) for name in ("step", "seconds", "episodes", "best_score")}
        head = {name: getattr(config, name) for name in ("env_id", "engine", "algo", "seed")}
        print_json({"run": str(run.folder), **head, **figures})
    else:
        printer(silent=quiet).print(_summary(run, config, last), markup=False)


def _summary(run: Run, config: TrainConfig, last: dict[str, float]) -> str:
    done = int(last.get("step", 0))
    parts = [f"{done:,} steps"]
    if done > config.steps:
        parts[0] += f" ({config.steps:,}, and on to the end of a rollout)"
    parts.append(f"{timedelta(seconds=round(last.get('seconds', 0)))}")
    if "best_score" in last:
        parts.append(f"best {last['best_score']:.6g} {_unit(config.env_id)}".rstrip())
    arguments = "".join(f" --env {text}" for text in as_pairs(config.env_kwargs))
    return (
        f"{', '.join(parts)}; kept in {run.folder}\n"
        f"next: gymworks evaluate {config.env_id} --agent {run.folder}{arguments}"
    )
