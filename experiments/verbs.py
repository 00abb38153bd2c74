"""Groups of verbs in tables of strings: a verb's module is imported when the verb runs."""

from collections.abc import Iterator
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from hardware_sim.naming import resolve

Table = dict[str, tuple[str, str]]
"""A verb by name: ``"module:function"`` or ``"module:app"`` that runs it, and its line of help."""


class Verbs(TyperGroup):
    """A group whose verbs are those of its table, beside any that are added to its app.

    A subclass sets the table. Help and completion of names read nothing else.
    """

    table: ClassVar[Table] = {}

    def __init__(self, *, commands: Any = None, **attributes: Any) -> None:
        shown = {name: TyperCommand(name, help=line) for name, (_, line) in self.table.items()}
        super().__init__(commands={**shown, **(commands or {})}, **attributes)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The name, command and remaining words of a verb that shall run."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and self.load(command.name or ""), rest

    def load(self, name: str) -> Any:
        """The command of a verb, imported; a group if it has verbs of its own.

        Raises:
            InputError: What the table names is not there.
        """
        if name not in self.table:
            return self.commands[name]
        found = resolve(self.table[name][0], "verb")
        if isinstance(found, typer.Typer):
            return get_group(found)
        app = typer.Typer(add_completion=False)
        app.command(name)(found)
        return get_command(app)


def paths(group: TyperGroup) -> Iterator[tuple[str, ...]]:
    """The words of every verb, and of every verb of a verb, in their order; no hidden ones."""
    for name, shown in group.commands.items():
        command: Any = group.load(name) if isinstance(group, Verbs) else shown
        if command.hidden:
            continue
        yield (name,)
        if isinstance(command, TyperGroup):
            yield from ((name, *rest) for rest in paths(command))
