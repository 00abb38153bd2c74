"""Finds Chromium and starts it with a closed network, talking over a pipe."""

import contextlib
import ctypes
import logging
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from envs.web.devtools import Pipe
from hardware_sim.errors import InputError, choose

log = logging.getLogger("gymworks")

PROGRAMS = {"shell": ("chromium-headless-shell",), "chromium": ("chromium", "chromium-browser")}
VARIABLE = "GYMWORKS_CHROMIUM"

FLAGS = (
    "--remote-debugging-pipe",
    "--allow-pre-commit-input",  # or a click right after a page has loaded may be lost
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-quic",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-lcd-text",
    "--disable-translate",
    "--disable-features=Translate,OptimizationHints,MediaRouter,AutofillServerCommunication",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--force-device-scale-factor=1",
    "--hide-scrollbars",
    "--metrics-recording-only",
    "--mute-audio",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--password-store=basic",
    "--use-mock-keychain",
)
FRAME_FLAGS = (
    "--enable-begin-frame-control",
    "--run-all-compositor-stages-before-draw",
    "--disable-threaded-animation",
    "--disable-threaded-scrolling",
    "--disable-checker-imaging",
    "--disable-new-content-rendering-timeout",
)
PR_SET_PDEATHSIG = 1


def find_chromium(backend: str) -> tuple[str, str]:
    """The backend that ``"auto"`` stands for, and the program.

    Args:
        backend: ``"auto"``, ``"shell"`` (chromium-headless-shell) or ``"chromium"``.

    Raises:
        InputError: It is not installed; the message says what to install.
    """
    choose("browser backend", backend, ["auto", *PROGRAMS])
    named = os.environ.get(VARIABLE)
    if named:
        if not os.access(named, os.X_OK):
            raise InputError(f"{VARIABLE} is {named}, which is no program")
        shell = "headless-shell" in named or "headless_shell" in named
        return ("shell" if shell else "chromium") if backend == "auto" else backend, named
    for kind in PROGRAMS if backend == "auto" else (backend,):
        for program in PROGRAMS[kind]:
            path = shutil.which(program)
            if path:
                return kind, path
    wanted = "chromium-headless-shell" if backend != "chromium" else "chromium"
    raise InputError(
        f"no Chromium found; install it (Debian: apt-get install {wanted}) "
        f"or name one in {VARIABLE}"
    )


@dataclass
class Process:
    """A running browser.

    Attributes:
        backend: ``"shell"`` or ``"chromium"``.
        pipe: The connection to it.
    """

    backend: str
    pipe: Pipe
    popen: subprocess.Popen[bytes]
    folder: "tempfile.TemporaryDirectory[str]"

    def close(self) -> None:
        """Ends the browser and removes its profile."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
        self.pipe.close()
        self.folder.cleanup()


def launch(backend: str, timeout_s: float = 30.0) -> Process:
    """Starts a browser without window, with a profile of its own.

    It ends with this process, as its pipe closes and the kernel signals it. The sandbox is on
    unless this process is root's, which Chromium does not sandbox.

    Raises:
        InputError: Chromium is not installed.
    """
    kind, program = find_chromium(backend)
    folder = tempfile.TemporaryDirectory(prefix="gymworks-", ignore_cleanup_errors=True)
    flags = [*FLAGS, f"--user-data-dir={folder.name}"]
    flags += FRAME_FLAGS if kind == "shell" else ("--headless=new",)
    if os.geteuid() == 0:
        log.warning("Chromium runs without its sandbox, because this process is root's")
        flags.append("--no-sandbox")
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        # The protocol wants descriptors 3 and 4; the copies keep clear of both.
        low, high = os.dup2(theirs_in, 103), os.dup2(theirs_out, 104)
        os.dup2(low, 3)
        os.dup2(high, 4)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    with Path(folder.name, "stderr.txt").open("wb") as errors:
        popen = subprocess.Popen(
            [program, *flags],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            close_fds=False,  # all but the standard ones and the copies close by themselves
            preexec_fn=prepare,
            start_new_session=True,
        )
    os.close(theirs_in)
    os.close(theirs_out)
    return Process(kind, Pipe(ours_in, ours_out, timeout_s), popen, folder)
