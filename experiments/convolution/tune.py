"""``gymworks tune``: the fastest kernel for each convolution of a network, on this machine."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from experiments.options import AsJson, Force, Quiet, aside, output, print_json, printer
from hardware_sim.errors import InputError, choose
from hardware_sim.naming import resolve

if TYPE_CHECKING:  # torch is slow to import
    from torch import Tensor, nn

    from hardware_sim.kernels import Outcome, Problem, Variant
    from hardware_sim.kernels.network_plan import Entry, Measurement, NetworkPlan

CONV = "64x56x56,64,3x3,pad=1"
UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
OPTIONS = {"pad": "padding", "stride": "stride", "dilation": "dilation"}
NUMBERS = {"groups": "groups", "batch": "batch"}


def seconds(text: str) -> float:
    """A span of time such as ``60s``, ``2m`` or ``90`` in seconds.

    Raises:
        InputError: It is none, or not positive.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if not match or match[2] not in UNITS or not float(match[1]):
        raise InputError(f"budget {text!r} is no span of time; write 60s, 2m or 1h")
    return float(match[1]) * UNITS[match[2]]


def sizes(text: str, what: str) -> tuple[int, ...]:
    """Sizes such as ``1x3x224x224``.

    Raises:
        InputError: They are none.
    """
    if not re.fullmatch(r"\d+(x\d+)*", text.strip()):
        raise InputError(f"{what} {text!r} is no list of sizes such as 1x3x224x224")
    return tuple(int(each) for each in text.strip().split("x"))


def parse_conv(text: str) -> "Problem":
    """The :class:`Problem` of a text such as ``64x56x56,64,3x3,pad=1``.

    Input channels and pixels, output channels, kernel; then any of ``pad``, ``stride`` and
    ``dilation`` (one number or one for each dimension), ``groups`` and ``batch``.

    Raises:
        InputError: The text has another form, or describes no convolution.
    """
    from hardware_sim.kernels import Problem

    parts = [part.strip() for part in text.split(",")]
    if len(parts) < 3:
        raise InputError(
            f"convolution {text!r} is too short; write input, output channels, kernel: {CONV}"
        )
    (channels, *size), outputs = sizes(parts[0], "input"), sizes(parts[1], "output channels")
    kernel, options = sizes(parts[2], "kernel"), {}
    for part in parts[3:]:
        name, _, value = part.partition("=")
        choose("option of a convolution", name, [*OPTIONS, *NUMBERS])
        numbers = sizes(value, name)
        options[OPTIONS.get(name, name)] = numbers[0] if name in NUMBERS else numbers
    if len(outputs) != 1 or not size:
        raise InputError(f"convolution {text!r} has another form than {CONV}")
    return Problem(channels, outputs[0], tuple(size), kernel, **options)  # type: ignore[arg-type]


def load_model(name: str, shape: str | None) -> "tuple[nn.Module, tuple[Tensor, ...]]":
    """The model that ``module:callable`` makes, and its inputs.

    Args:
        name: The callable (the working folder is on the path) returns a :class:`torch.nn.Module`,
            or a pair of it and an example input (a tensor or a tuple of tensors).
        shape: Of the input, as ``1x3x224x224``; None if the callable returns the input.

    Raises:
        InputError: It cannot be found or returns something else.
    """
    import torch

    maker = resolve(name, "model", working_folder=True)
    try:
        made = maker()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise InputError(f"model {name!r} cannot be made: {error}") from error
    model, example = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(model, torch.nn.Module):
        raise InputError(
            f"{name} returns a {type(model).__name__}; it must return a torch.nn.Module, "
            "or one and an example input"
        )
    if shape is not None:
        example = torch.randn(sizes(shape, "input"))
    if example is None:
        raise InputError(f"{name} returns no example input; give its shape: --input 1x3x224x224")
    return model, example if isinstance(example, tuple) else (example,)


def resumed(
    path: Path, plan: "NetworkPlan", console: Console, force: bool = False
) -> "NetworkPlan":
    """Takes the measurements that an earlier run left in a file, if they hold here.

    Returns:
        The plan to write: it shares the entries of ``plan``, and keeps those convolutions of the
        file that are not tuned now.

    Raises:
        InputError: The file is no plan; or one for another machine or number of threads, which
            this run would destroy, and may with ``force``.
    """
    from hardware_sim.kernels.network_plan import NetworkPlan

    if not path.exists():
        return plan
    old = NetworkPlan.load(path)
    if reason := old.stale(plan.threads, plan.machine):
        if not force:
            raise InputError(
                f"{path} is kept: {reason}; name another file by --output, or replace it by --force"
            )
        console.print(f"{path} is replaced: {reason}", markup=False)
        return plan
    whole = plan.beside(old)
    console.print(f"{path} has {plan.take(old)} measurements already")
    if others := len(whole.entries) - len(plan.entries):
        console.print(f"{path} keeps {others} more convolutions, of other models")
    return whole


def rows(plan: "NetworkPlan") -> list[dict[str, Any]]:
    """Results for each convolution, JSON-serialisable; times in seconds, None if unknown."""
    found = []
    for entry in plan.entries.values():
        best = entry.best
        tried = [each for each in entry.measured if each.torch_s]
        shown = best or max(tried, key=lambda each: each.speedup, default=None)
        found.append(
            {
                "convolution": describe(entry.problem),
                "layers": entry.layers,
                "torch_s": shown.torch_s if shown else None,
                "kernel_s": shown.kernel_s if shown else None,
                "speedup": shown.speedup if shown else None,
                "use": label(best.variant) if best else "torch" if tried else "torch, unmeasured",
                "error": best.error if best else None,
            }
        )
    return found


def table(plan: "NetworkPlan") -> Table:
    """Results for people, one line a convolution."""
    result = Table(box=SIMPLE)
    for heading in ("convolution", "layers", "torch ms", "kernel ms", "speed-up", "use", "error"):
        is_text = heading in ("convolution", "use")
        result.add_column(heading, justify="left" if is_text else "right", overflow="fold")
    for row in rows(plan):
        measured = row["torch_s"] is not None
        result.add_row(
            row["convolution"],
            str(max(1, len(row["layers"]))),
            f"{row['torch_s'] * 1e3:.3f}" if measured else "",
            f"{row['kernel_s'] * 1e3:.3f}" if measured else "",
            f"{row['speedup']:.2f}" if measured else "",
            row["use"],
            "" if row["error"] is None else f"{row['error']:.0e}",
        )
    return result


def describe(problem: "Problem") -> str:
    """A convolution as :func:`parse_conv` reads it."""
    text = [f"{problem.in_channels}x{'x'.join(map(str, problem.size))}", str(problem.out_channels)]
    text.append("x".join(map(str, problem.kernel)))
    for option, name in OPTIONS.items():
        values = getattr(problem, name)
        if set(values) != {0 if option == "pad" else 1}:
            one = len(set(values)) == 1
            text.append(f"{option}={values[0] if one else 'x'.join(map(str, values))}")
    text += [f"{name}={getattr(problem, name)}" for name in NUMBERS if getattr(problem, name) != 1]
    return ",".join(text)


def label(variant: "Variant") -> str:
    """A short name of a variant."""
    divided = " divided" if variant.splits > 1 else ""
    return f"{variant.algorithm} {'x'.join(map(str, variant.tile))}".strip() + divided


def command(
    model: Annotated[
        str | None,
        typer.Argument(help="module:callable that returns a model, or it and an example input."),
    ] = None,
    shape: Annotated[
        str | None, typer.Option("--input", help="The input's shape: 1x3x224x224.")
    ] = None,
    conv: Annotated[
        list[str] | None, typer.Option(help=f"Instead of a model, a convolution: {CONV}.")
    ] = None,
    budget: Annotated[str, typer.Option(help="Time to spend: 60s, 2m.")] = "60s",
    threads: Annotated[int, typer.Option(min=1, help="Threads to run with.")] = 1,
    path: Annotated[
        Path, output("The plan; an earlier run is resumed, other models' are kept.", resumed=True)
    ] = Path("plan.json"),
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Find the fastest kernel for each convolution of a network on this machine.

    The fastest kernels are measured again at the end, so that none wins by luck.

    One plan may serve several models: convolutions that it already has are kept. A run that was
    killed loses the measurement under way; run again to go on.
    """
    from hardware_sim.host import this_machine
    from hardware_sim.kernels.tuning import pending, plan_for, unconfirmed

    console, limit_s = printer(silent=quiet or as_json), seconds(budget)
    if bool(model) == bool(conv):
        raise InputError(f"give a model, as module:callable, or --conv {CONV}")
    problems = (
        _of_model(model, shape, console)
        if model
        else [(parse_conv(text), []) for text in conv or []]
    )
    plan = plan_for(problems, this_machine(), threads)
    whole = resumed(path, plan, console, force)
    whole.save(path)
    outcome = _measured(plan, whole, path, limit_s, quiet)
    left = len(pending(plan)) + len(unconfirmed(plan))
    if as_json:
        print_json(_document(plan, path, left, outcome))
    console.print(table(plan), soft_wrap=False)
    if not outcome:
        console.print(
            f"[red]Nothing could be measured: {outcome.status}: {outcome.detail}. "
            "The plan leaves every layer to torch.[/red]"
        )
        raise typer.Exit(1)
    if left:
        console.print(f"{left} measurements were not reached in {budget}; run again to go on")
    console.print(f"wrote {path}; use it: {saving(plan)}")


def _of_model(name: str, shape: str | None, console: Console) -> "list[tuple[Problem, list[str]]]":
    """The distinct convolutions of a model, and the names of the layers that have them."""
    from hardware_sim.kernels.model_layers import convolutions

    found = convolutions(*load_model(name, shape))
    for layer, reason in found.unsupported.items():
        console.print(f"{layer} stays with torch: {reason}")
    if not found.names:
        raise InputError(f"{name} has no convolution layers that kernels could compute")
    return list(found.names.items())


def _measured(
    plan: "NetworkPlan", whole: "NetworkPlan", output: Path, budget_s: float, quiet: bool
) -> "Outcome":
    """Measures what the plan lacks and saves the whole after each measurement."""
    from hardware_sim.kernels.tuning import pending, tune

    console = aside(quiet)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
        transient=True,
    ) as progress:
        again = sum(not (each.best and each.best.again) for each in plan.entries.values())
        bar = progress.add_task("measuring", total=len(pending(plan)) + again)

        def note(entry: "Entry", measurement: "Measurement") -> None:
            whole.save(output)
            name = f"{describe(entry.problem)} {label(measurement.variant)}"
            progress.update(bar, advance=1, description=name)

        return tune(plan, budget_s=budget_s, report=note)


def _document(plan: "NetworkPlan", output: Path, left: int, outcome: "Outcome") -> dict[str, Any]:
    """The results, JSON-serialisable, for scripts."""
    torch_s, plan_s = totals(plan)
    return {
        "plan": str(output),
        "status": outcome.status,
        "detail": outcome.detail,
        "measurements_left": left,
        "torch_s": torch_s,
        "plan_s": plan_s,
        "convolutions": rows(plan),
    }


def totals(plan: "NetworkPlan") -> tuple[float, float]:
    """Seconds of all measured convolutions, with torch and with the plan."""
    torch_s = plan_s = 0.0
    for entry in plan.entries.values():
        times = [each.torch_s for each in entry.measured if each.torch_s]
        if times:
            best, count = entry.best, max(1, len(entry.layers))
            library_s = (best and best.torch_s) or min(times)
            torch_s += count * library_s
            plan_s += count * ((best and best.kernel_s) or library_s)
    return torch_s, plan_s


def saving(plan: "NetworkPlan") -> str:
    """Describes the time that the plan saves over all its convolutions."""
    before, after = totals(plan)
    if not before:
        return "nothing was measured"
    return (
        f"its convolutions take {after * 1e3:.2f} ms instead of torch's {before * 1e3:.2f} ms "
        f"({before / after:.2f} times as fast)"
    )
