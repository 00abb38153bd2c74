"""A Ray session that is there while it is needed and gone afterwards."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray
from ray._private.authentication.authentication_token_setup import ensure_token_if_auth_enabled
from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.exceptions import AuthenticationError, RayError

import agents
from hardware_sim.commands import own_sigterm
from hardware_sim.errors import InputError

OBJECT_STORE = 150 * 2**20
"""Bytes of shared memory for a local session; rollouts of the padded observations are small."""


TOKEN = (
    "set RAY_AUTH_MODE=token here and on every machine, each with the token of the cluster's first "
    "one (its ~/.ray/auth_token, or RAY_AUTH_TOKEN)"
)
"""The remedy where a cluster refuses; Ray 2.60 asks for tokens where its first machine has one."""


def python_path() -> str:
    """The ``PYTHONPATH`` with which worker processes can import what this process imports.

    Our packages' parent and the working folder (where ``module:attribute`` names are looked up)
    come first; whatever was on the path already follows.
    """
    ours = [str(Path(agents.__file__).resolve().parent.parent), os.getcwd()]
    theirs = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return os.pathsep.join(dict.fromkeys(ours + theirs))


@contextmanager
def session(address: str | None = None, num_cpus: int | None = None) -> Iterator[None]:
    """Connects to Ray, or starts it on this machine, and undoes exactly that at the end.

    Inside a Ray worker, or where the caller has a session already, nothing is started or stopped.

    Args:
        address: A running cluster (``"host:port"``, ``"auto"``); None starts a local one.
        num_cpus: CPUs of a local session; None takes all of this machine's.

    Raises:
        InputError: There is no cluster at the address, or it asks for another token.
    """
    if ray.is_initialized():
        yield
        return
    # Usage reports are nobody's business and need a network.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address is not None:
        _check_reachable(address)
    options: dict[str, object] = {
        "address": address or "local",
        "logging_level": logging.ERROR,
        "log_to_driver": False,
        "ignore_reinit_error": True,
        "runtime_env": {"env_vars": {"PYTHONPATH": python_path()}},
    }
    if address is None:
        options |= {
            "num_cpus": num_cpus or os.cpu_count(),
            "object_store_memory": OBJECT_STORE,
            "include_dashboard": False,
        }
    try:
        with own_sigterm():  # Ray's own handler ends the process at once
            ray.init(**options)
    except AuthenticationError as error:
        raise InputError(f"the Ray cluster at {address!r} wants its token: {TOKEN}") from error
    except ConnectionError as error:
        raise InputError(f"no Ray cluster answers at {address!r}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Ray itself retries for ten minutes, and then ends the process, if nobody answers."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if address in ("auto", "local") or not colon:
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise InputError(f"no Ray cluster answers at {address!r}: {error}") from error
    if not address.startswith("ray://"):
        _check_token(address)


def _check_token(address: str) -> None:
    """Ray itself takes a cluster that refuses the token for one that does not answer."""
    try:
        ensure_token_if_auth_enabled(create_token_if_missing=False)  # without one, C++ aborts
        with _no_errors_shown():
            GcsClient(address=address)
    except AuthenticationError as error:
        raise InputError(f"the Ray cluster at {address!r} wants its token: {TOKEN}") from error
    except RayError:
        return  # ray.init describes what else is wrong


@contextmanager
def _no_errors_shown() -> Iterator[None]:
    """Nothing reaches standard error meanwhile, not even from Ray's C++, which has no setting."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def quiet() -> None:
    """Leaves only errors of Ray's own loggers on the terminal; progress is shown by the caller."""
    for name in ("ray", "ray.rllib", "ray.tune", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
