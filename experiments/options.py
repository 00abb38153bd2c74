"""Options of many verbs, where outputs go, and how verbs print: text, or JSON for scripts."""

import json
import shlex
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from hardware_sim.errors import InputError, choose
from hardware_sim.files import UnwritableError, check_folder, check_writable
from hardware_sim.naming import trusting

Quiet = Annotated[bool, typer.Option("--quiet", help="No progress, no text, only errors.")]
Split = Annotated[str | None, typer.Option(help="Split of the problems: --option split=...")]
Options = Annotated[
    list[str] | None, typer.Option("--option", metavar="K=V", help="Option of every reset.")
]
EnvKwargs = Annotated[
    list[str] | None, typer.Option("--env", metavar="K=V", help="Argument of the environment.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]
Force = Annotated[bool, typer.Option("--force", is_eager=True, help="Replace what exists.")]
"""A verb that has an :func:`output` has it too."""

PICTURES = (".png", ".svg", ".pdf")
INTERRUPTED = 130  # the exit status of shells for Ctrl-C
PIPE_WIDTH = 10_000  # columns where no terminal is


def pairs(texts: Iterable[str]) -> dict[str, Any]:
    """``["k=v", ...]`` as a dictionary; values are JSON where they are any, and text otherwise.

    Raises:
        InputError: A text has no name or no value, or a name is given twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals or name in found:
            raise InputError(f"{text!r} is no name=value, or names {name!r} again")
        found[name] = json.loads(value) if _is_json(value) else value
    return found


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def as_pairs(values: Mapping[str, Any]) -> list[str]:
    """The inverse of :func:`pairs`, quoted for a shell."""
    texts = {
        name: value if isinstance(value, str) and not _is_json(value) else json.dumps(value)
        for name, value in values.items()
    }
    return [shlex.quote(f"{name}={text}") for name, text in texts.items()]


def reset_options(split: str | None, option: list[str] | None) -> dict[str, Any]:
    """The options of resets that ``--split`` and ``--option`` give.

    Raises:
        InputError: An option is no ``name=value`` or given twice.
    """
    return pairs([*([] if split is None else [f"split={split}"]), *(option or [])])


def _trust(context: typer.Context, on: bool) -> bool:
    """Trusts as long as the verb runs."""
    context.with_resource(trusting(on))
    return on


Trust = Annotated[
    bool,
    typer.Option(
        "--trust", callback=_trust, help="Import code that files name; each is said in a line."
    ),
]


def output(
    shown: str, *kinds: str, name: str = "--output", folder: bool = False, resumed: bool = False
) -> Any:
    """The option of a verb for what it writes; refused before any work where that cannot be.

    Args:
        shown: Help for people.
        kinds: Endings that the file's name may have, with their dots; none allows any.
        name: Of the option; ``--output`` is ``-o`` as well.
        folder: It may be a folder; the verb looks after what is in it by :func:`destination`.
        resumed: What exists is continued rather than replaced.
    """

    def check(ctx: typer.Context, path: Path | None) -> Path | None:
        if path is None or ctx.resilient_parsing:
            return path
        if folder:
            check_folder(path.parent)
            return path
        return destination(path, kinds, resumed or bool(ctx.params.get("force")))

    names = [name, "-o"] if name == "--output" else [name]
    return typer.Option(*names, help=shown, callback=check)


def destination(path: Path, kinds: tuple[str, ...] = (), force: bool = False) -> Path:
    """The path of a file that a verb writes, if it may; nothing is left behind.

    Args:
        path: The file.
        kinds: Endings that its name may have, with their dots; none allows any.
        force: An existing file may be replaced.

    Raises:
        InputError: It has another ending, exists, or cannot be written.
    """
    if kinds:
        choose("kind of file", path.suffix.lower(), kinds)
    checked = check_writable(path)
    if path.is_file() and not force:
        raise InputError(f"{path} exists; it is replaced only with --force")
    return checked


def deliver(path: Path, write: Callable[[Path], object]) -> None:
    """Writes the result of a verb's work, elsewhere if its place has failed meanwhile.

    Args:
        path: Its place, a :func:`destination`.
        write: Writes it to a path.

    Raises:
        InputError: It could not be written there; the message names where it is kept instead, if
            anywhere.
    """
    try:
        write(path)
    except UnwritableError as error:
        try:
            rescued = Path(tempfile.mkdtemp(prefix="gymworks-")) / path.name
            write(rescued)
        except (UnwritableError, OSError):
            raise error from None
        raise InputError(f"{error}; it is kept in {rescued} instead") from error


def interrupted(sentence: str) -> NoReturn:
    """Ends a verb after Ctrl-C with what was kept, and with the exit status of an interruption."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"gymworks: {sentence}", markup=False
    )
    raise typer.Exit(INTERRUPTED)


def printer(silent: bool = False, soft_wrap: bool = True) -> Console:
    """Standard output for text and tables, which are whole where no terminal limits their width.

    Args:
        silent: Nothing is printed.
        soft_wrap: Lines of text are left to the terminal to wrap.
    """
    console = Console(highlight=False, soft_wrap=soft_wrap, quiet=silent)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def aside(quiet: bool = False) -> Console:
    """Standard error for what passes, such as progress, so that standard output can be read."""
    return Console(stderr=True, quiet=quiet)


def bar(quiet: bool = False) -> Progress:
    """A progress bar of counted things on standard error, where a person looks at it."""
    console = aside(quiet)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
        transient=True,
    )


def print_json(document: Any) -> None:
    """Prints a document of finite numbers as indented JSON on standard output."""
    typer.echo(json.dumps(document, indent=1, allow_nan=False))
