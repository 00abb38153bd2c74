"""``gymworks sweep``: hyperparameter search with Ray Tune and ASHA, over either engine."""

import csv
import io
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.box import SIMPLE_HEAD
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from agents.engines.base import TrainConfig, settings
from agents.runs import Run
from experiments.evaluate import check_options
from experiments.options import (
    AsJson,
    EnvKwargs,
    Options,
    Quiet,
    Split,
    Trust,
    aside,
    interrupted,
    pairs,
    print_json,
    printer,
    reset_options,
)
from experiments.sweep_trials import (
    OBJECTIVE,
    ended,
    note_end,
    progress_of,
    remark,
    run_trial,
    sample,
    trial_folder,
)
from experiments.train import configure
from hardware_sim.errors import InputError
from hardware_sim.files import write_atomic, write_text

if TYPE_CHECKING:
    from ray.tune import Tuner

FORMAT = 1
TUNE = "tune"  # Ray Tune's own folder within the sweep's
RETRIES = 3  # of a trial whose worker or machine died
FIXED = ("env_id", "engine", "algo", "steps", "seed", "env_kwargs", "options")  # once it has begun
TRIALS = 8
SNAPSHOT_EVERY = "5"  # seconds between Tune's notes of where the sweep stands


def sweep(
    config: TrainConfig,
    trials: int,
    folder: str | Path,
    resume: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Searches hyperparameters; every trial is a run folder of its own.

    Trials are random draws from the domain's search space. ASHA stops those that are behind at
    the same number of steps; after a resume it compares those that go on. Ray Tune's snapshots are
    pickles and are never read: a trial's folder says whether it has ended. The folder must be on
    storage that all machines of a cluster see.

    Args:
        config: The training that is varied; its ``address`` names a Ray cluster.
        trials: How many.
        folder: The sweep's folder.
        resume: Continue the sweep in that folder, after a kill or with failed trials.
        quiet: No progress bar.

    Returns:
        The content of ``result.json``: ``{"format": 1, ..., "search_space", "best": index or None,
        "trials": [{"trial", "hyperparameters", "status": "finished", "stopped" or "failed",
        "step", "mean_reward", "best_score", "run"}, ...]}`` with what :data:`FIXED` names.

    Raises:
        InputError: The folder exists (or, resuming, is no sweep), the domain has no search space
            for the algorithm, the environment refuses the options, Ray is not installed, or every
            trial failed.
    """
    try:
        import ray.tune  # noqa: F401  # imported here, to name what to install
    except ModuleNotFoundError as error:
        raise InputError(
            f"a sweep needs {error.name}, which is not installed: pip install 'gymworks[rllib]'"
        ) from None
    from agents.engines.rllib_session import quiet as quiet_ray
    from agents.engines.rllib_session import session

    folder = Path(folder).resolve()
    run = _reopened(folder, config, trials) if resume else _created(folder, config, trials)
    # Ray reads these when it is imported into the driver or when an experiment starts.
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", SNAPSHOT_EVERY)
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    quiet_ray()
    os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")
    with run.locked():
        try:
            with session(config.address), _display(run.config, folder, quiet):
                errors = _fit(run.config, folder)
        except (InputError, KeyboardInterrupt):
            run.discard_if_untrained()
            raise
        result = _collect(run.config, folder, set(errors))
        run.save_result(result)
        write_text(folder / "results.csv", _as_csv(result))
        _draw(result, folder / "parallel_coordinates.png")
    if all(trial["status"] == "failed" for trial in result["trials"]):
        reason = errors[min(errors)].strip().splitlines()[-1]
        raise InputError(f"every trial failed, the first with: {reason}")
    return result


def _created(folder: Path, config: TrainConfig, trials: int) -> Run:
    if trials < 1:
        raise InputError(f"trials is {trials}; allowed: at least 1")
    spaces = settings(config.env_id)["search_space"]
    if config.algo not in spaces:
        raise InputError(
            f"{config.env_id} declares no search space for {config.algo}; "
            f"allowed: {', '.join(spaces) or 'none, its training.json has no search_space'}"
        )
    check_options(config.env_id, config.env_kwargs, config.options)
    space = spaces[config.algo]
    plan = {"search_space": space, "assignments": sample(space, trials, config.seed)}
    return Run.create(folder, config.to_json() | plan)


def _reopened(folder: Path, config: TrainConfig, trials: int) -> Run:
    run = _sweep_of(folder)
    asked = _settings(config.to_json()) | {"trials": trials}
    stored = _settings(run.config) | {"trials": len(run.config["assignments"])}
    for name, value in asked.items():
        if value != stored[name]:
            raise InputError(
                f"{folder} sweeps {name} {stored[name]!r}, not {value!r}; "
                "another --run-dir begins another sweep"
            )
    return run


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """What a sweep keeps once it has begun; older folders have no options."""
    whole = TrainConfig.from_json(config).to_json()
    return {name: whole[name] for name in FIXED}


def _sweep_of(folder: Path) -> Run:
    run = Run(folder)
    if "assignments" not in run.config:
        raise InputError(f"{folder} is a training run, not a sweep")
    return run


def kept(folder: Path, config: TrainConfig) -> str:
    """Describes what an interrupted sweep left, and how to go on."""
    if not folder.exists():
        return "interrupted before any trial began; nothing is kept"
    count = len(Run(folder).config["assignments"])
    steps = [int(progress_of(folder, index).get("step", 0)) for index in range(count)]
    finished = sum(step >= config.steps for step in steps)
    return (
        f"interrupted; {finished} of {count} trials are finished, and the checkpoints of the "
        f"others are kept in {folder}: "
        f"gymworks sweep {config.env_id} --run-dir {folder} --resume goes on"
    )


def _fit(config: dict[str, Any], folder: Path) -> dict[int, str]:
    """Runs the trials that have not ended; returns the errors of those that failed, by trial."""
    left = [index for index in range(len(config["assignments"])) if not ended(folder, index)]
    shutil.rmtree(folder / TUNE, ignore_errors=True)
    if not left:
        return {}
    grid = _tuner(config, folder, left).fit()
    return {
        result.config["trial"]: str(result.error)
        for result in grid
        if result.error and result.config
    }


def _tuner(config: dict[str, Any], folder: Path, left: list[int]) -> "Tuner":
    """Tune's experiment with the trials that are left."""
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler

    class Ends(tune.Callback):
        """Notes each trial that has ended, by itself or by ASHA."""

        def on_trial_complete(
            self, iteration: int, trials: list[Any], trial: Any, **info: Any
        ) -> None:
            note_end(folder, trial.config["trial"])

    steps = config["steps"]
    return tune.Tuner(
        tune.with_resources(run_trial, {"cpu": 1}),
        param_space={"folder": str(folder), "trial": tune.grid_search(left)},
        tune_config=tune.TuneConfig(
            scheduler=ASHAScheduler(
                time_attr="step",
                metric=OBJECTIVE,
                mode="max",
                # Engines end by themselves, a little past the number of steps; cut there, a
                # trial would lose its last checkpoint.
                max_t=2 * steps,
                grace_period=max(1, steps // 8),
                reduction_factor=3,
            ),
        ),
        run_config=tune.RunConfig(
            name=TUNE,
            storage_path=str(folder),
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            callbacks=[Ends()],
            verbose=0,
        ),
    )


def _collect(config: dict[str, Any], folder: Path, failed: set[int]) -> dict[str, Any]:
    trials = []
    for index, chosen in enumerate(config["assignments"]):
        progress = progress_of(folder, index)
        step = int(progress.get("step", 0))
        end = "finished" if step >= config["steps"] else "stopped"
        trials.append(
            {
                "trial": index,
                "hyperparameters": chosen,
                "status": "failed" if index in failed else end,
                "step": step,
                OBJECTIVE: progress.get(OBJECTIVE),
                "best_score": progress.get("best_score"),
                "run": str(trial_folder(folder, index).relative_to(folder)),
            }
        )
    judged = [trial for trial in trials if trial[OBJECTIVE] is not None]
    # A trial that was stopped early may have been ahead only because others had learned longer.
    furthest = [trial for trial in judged if trial["status"] == "finished"] or judged
    best = max(furthest, key=lambda trial: float(trial[OBJECTIVE]), default=None)
    head = {"format": FORMAT, **_settings(config), "search_space": config["search_space"]}
    return head | {"best": best and best["trial"], "trials": trials}


def _as_csv(result: dict[str, Any]) -> str:
    text = io.StringIO()
    rows = [trial["hyperparameters"] | trial for trial in result["trials"]]
    columns = [name for name in rows[0] if name != "hyperparameters"]
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _draw(result: dict[str, Any], path: Path) -> None:
    from experiments.sweep_figure import parallel_coordinates

    figure = parallel_coordinates(result)
    write_atomic(path, lambda file: figure.savefig(file, format="png", dpi=150))


@contextmanager
def _display(config: dict[str, Any], folder: Path, quiet: bool) -> Iterator[None]:
    """A live bar over the steps of all trials, read from their folders."""
    count, steps = len(config["assignments"]), config["steps"]
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} steps, {task.fields[state]}"),
        TimeElapsedColumn(),
        console=aside(),
        disable=quiet,
    )
    over = threading.Event()

    def watch() -> None:
        while not over.wait(1.0):
            progress = [progress_of(folder, index) for index in range(count)]
            done = sum(min(steps, int(trial.get("step", 0))) for trial in progress)
            begun = sum(bool(trial) for trial in progress)
            bar.update(task, completed=done, state=f"{begun} of {count} trials begun")

    with bar:
        task = bar.add_task(f"sweep {config['algo']}", total=count * steps, state="starting")
        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


def table(result: dict[str, Any]) -> Table:
    """The trials of a result, best first."""
    names = list(result["search_space"])
    shown = Table(
        title=f"{result['env_id']} {result['algo']} ({result['engine']})",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for name in ("trial", *names, "steps", "mean reward", "best score", "status"):
        side: Literal["left", "right"] = "left" if name == "status" else "right"
        shown.add_column(name.replace("_", " "), justify=side)
    worst = -float("inf")
    ranked = sorted(
        result["trials"],
        key=lambda trial: worst if trial[OBJECTIVE] is None else trial[OBJECTIVE],
        reverse=True,
    )
    for trial in ranked:
        values = [trial["hyperparameters"][name] for name in names]
        best = trial["trial"] == result["best"]
        shown.add_row(
            str(trial["trial"]),
            *(_cell(value) for value in values),
            f"{trial['step']:,}",
            _cell(trial[OBJECTIVE]),
            _cell(trial["best_score"]),
            trial["status"],
            style="bold" if best else None,
        )
    return shown


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def command(
    env_id: Annotated[str, typer.Argument(metavar="ID", help="Environment.")],
    engine: Annotated[str | None, typer.Option(help="sb3 (default) or rllib.")] = None,
    algo: Annotated[str | None, typer.Option(help="Algorithm; the domain's by default.")] = None,
    trials: Annotated[
        int | None, typer.Option(help=f"How many settings to try; default {TRIALS}.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Environment steps of each trial.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seeds the draws and the trials; default 0.")
    ] = None,
    split: Split = None,
    option: Options = None,
    env: EnvKwargs = None,
    run_dir: Annotated[Path | None, typer.Option(help="Folder of the sweep.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue a sweep.")] = False,
    address: Annotated[str | None, typer.Option(help="Ray cluster, host:port.")] = None,
    trust: Trust = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Search an algorithm's hyperparameters with Ray Tune; resumable, also after a kill."""
    given: dict[str, Any] = {
        "engine": engine,
        "algo": algo,
        "steps": steps,
        "seed": seed,
        "address": address,
        "env_kwargs": pairs(env or []) or None,
        "options": reset_options(split, option) or None,
    }
    given = {name: value for name, value in given.items() if value is not None}
    config = configure(env_id, **given)
    name = config.env_id.rpartition(":")[2].replace("/", "-")
    folder = run_dir or Path("runs") / f"{name}-{config.algo}-sweep"
    if resume:
        # The folder holds the configuration; options only say what is expected of it.
        stored = _sweep_of(folder).config
        config = replace(TrainConfig.from_json(stored), env_id=config.env_id, **given)
        trials = len(stored["assignments"]) if trials is None else trials
    try:
        result = sweep(config, TRIALS if trials is None else trials, folder, resume, quiet)
    except KeyboardInterrupt:
        interrupted(kept(folder, config))
    if as_json:
        print_json({"folder": str(folder), **result})
        return
    console = printer(silent=quiet)
    console.print(table(result), soft_wrap=False)
    if explained := remark(result):
        console.print(explained, markup=False)
    if result["best"] is not None:
        best = folder / result["trials"][result["best"]]["run"]
        console.print(f"best trial: {best}, picture: {folder / 'parallel_coordinates.png'}")
