"""The one error type that means: what the caller gave is wrong, and here is what is allowed."""

from collections.abc import Iterable


class InputError(ValueError):
    """Raised for bad input; the message names the offending value and the allowed ones.

    The command line prints the message on one line and exits with status 2; everything else is a
    fault of ours and keeps its traceback.
    """


def choose(kind: str, name: str, allowed: "list[str] | tuple[str, ...]") -> str:
    """Returns ``name`` if it is allowed.

    Args:
        kind: What is being chosen, for the message (``"device"``).
        name: The caller's choice.
        allowed: Every legal choice.

    Raises:
        InputError: ``name`` is not among ``allowed``; the message lists them and the nearest.
    """
    if name in allowed:
        return name
    hint = did_you_mean(name, allowed) if isinstance(name, str) else ""
    names = ", ".join(sorted(allowed)) or "none"
    raise InputError(f"unknown {kind} {name!r}{hint}; allowed: {names}")


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """The nearest of some names as a question in brackets, or nothing where none is near."""
    from difflib import get_close_matches

    near = get_close_matches(name, list(allowed), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
