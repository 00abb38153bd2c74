"""A Ray cluster started by the commands of its page, with its token and without."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from agents.runs import Run

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "experiments" / "site" / "cluster.md"
SMALL = "--num-cpus=1 --object-store-memory=80000000 --block"
WAIT = """
import sys, time
import ray
from agents.engines.rllib_session import session
with session(sys.argv[1]):
    while ray.cluster_resources().get("CPU", 0) < 2:
        time.sleep(0.5)
"""
pytestmark = pytest.mark.peers


def blocks() -> list[str]:
    """The commands for the first machine, for the others, and for who uses them."""
    found: list[str] = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.S)
    return found


def shell(script: str, home: Path) -> "subprocess.Popen[str]":
    """Runs commands of the page as somebody who has never used Ray."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    given = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    own = {"HOME": str(home), "PATH": path, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
    return subprocess.Popen(
        ["bash", "-ec", script.replace("gymworks ", f"{sys.executable} -m experiments.cli ")],
        env=given | own,
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for_port(port: int, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.2)
        else:
            return


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short name, for that of a socket has 107 bytes at most."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))
    for name in ("first", "second", "user"):
        (folder / name).mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def end(processes: "list[subprocess.Popen[str]]") -> None:
    """Ends machines with all their processes, and none of another cluster's, as ray stop would."""
    family = [
        member
        for process in processes
        for member in (*psutil.Process(process.pid).children(recursive=True), process)
    ]
    for member in family:
        member.send_signal(signal.SIGTERM)
    psutil.wait_procs([member for member in family if isinstance(member, psutil.Process)], 20)
    for member in family:
        if not isinstance(member, psutil.Process) or member.is_running():
            member.kill()
    for process in processes:
        process.communicate()


def test_the_pages_commands_start_a_cluster_that_sweeps(place: Path) -> None:
    first, others, use = blocks()
    port, machines = free_port(), []
    first = first.replace("--port=6379", f"--port={port} --temp-dir={place}/r {SMALL}")
    begin, _, sweep = use.partition("gymworks train")
    sweep = sweep[sweep.index("gymworks sweep") :]
    sweep = sweep.replace("--trials 32", "--trials 2 --steps 400 --quiet").replace(
        "/shared", "user"
    )
    try:
        machines.append(shell(first, place / "first"))
        assert machines[0].stdout is not None
        token = machines[0].stdout.read(64)
        assert re.fullmatch(r"[0-9a-f]{64}", token)

        def filled(script: str) -> str:
            address = f"127.0.0.1:{port}"
            return script.replace("=TOKEN", f"={token}").replace("HOST:6379", address)

        wait_for_port(port)
        machines.append(shell(f"{filled(others).rstrip()} {SMALL}", place / "second"))
        both = shell(filled(f"{begin}{sys.executable} -c '{WAIT}' HOST:6379"), place / "user")
        _, errors = both.communicate(timeout=120)
        assert both.returncode == 0, errors
        refused = shell(filled(sweep), place / "user")
        _, errors = refused.communicate(timeout=120)
        assert refused.returncode == 2, errors
        assert errors.startswith(f"gymworks: the Ray cluster at '127.0.0.1:{port}' wants its token")
        assert errors.count("\n") == 1
        assert "RAY_AUTH_MODE=token" in errors
        swept = shell(filled(begin + sweep), place / "user")
        _, errors = swept.communicate(timeout=300)
        assert swept.returncode == 0, errors
    finally:
        end(machines)
    result = Run(place / "user" / "user" / "sweep").result()
    assert result is not None
    assert [trial["status"] for trial in result["trials"]] == ["finished", "finished"]
