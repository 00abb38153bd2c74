"""Finds Chromium and starts it with a closed network, talking over a pipe."""

import logging
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from envs.web.devtools import BrowserDiedError, CommandError, Pipe
from envs.web.lifetime import Family, die_with_parent, keep
from hardware_sim.errors import InputError, choose

log = logging.getLogger("gymworks")

PROGRAMS = {"shell": ("chromium-headless-shell",), "chromium": ("chromium", "chromium-browser")}
VARIABLE = "GYMWORKS_CHROMIUM"

FLAGS = (
    "--remote-debugging-pipe",  # no port that others could connect to
    "--block-new-web-contents",
    "--disable-breakpad",
    "--allow-pre-commit-input",  # or a click right after a page has loaded may be lost
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",  # of the shell
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",  # the same of Chromium
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
    "--disable-features=Translate,OptimizationHints,MediaRouter,AutofillServerCommunication,"
    "HttpsUpgrades",
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
WINDOW_FLAGS = (
    "--headless=new",
    "--disable-back-forward-cache",  # or a page's clock stays behind in the page it led away from
)
OLDEST = 134
"""First version that announces every navigation."""


def find_chromium(backend: str) -> tuple[str, str]:
    """The backend that ``"auto"`` stands for, and the program.

    Args:
        backend: ``"auto"``, ``"shell"`` (chromium-headless-shell) or ``"chromium"``.

    Raises:
        InputError: It is not installed; the message names what to install.
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
    raise InputError(f"no Chromium found; {_remedy(backend)}")


def _remedy(backend: str) -> str:
    wanted = "chromium" if backend == "chromium" else "chromium-headless-shell"
    return f"install it (Debian: apt-get install {wanted}) or name one in {VARIABLE}"


@cache
def sandbox_flags() -> tuple[str, ...]:
    """Flags about the sandbox: it is on, unless this process is root's, which has a warning once.

    Chromium does not sandbox what root runs.
    """
    if os.geteuid() != 0:
        return ()
    log.warning("Chromium runs without its sandbox, because this process is root's")
    return ("--no-sandbox",)


@dataclass
class Process:
    """A running browser.

    Attributes:
        backend: ``"shell"`` or ``"chromium"``.
        pipe: The connection to it.
        product: Its name and version.
    """

    backend: str
    pipe: Pipe
    popen: subprocess.Popen[bytes]
    folder: str
    family: Family
    product: str = ""
    owner: int = field(default_factory=os.getpid)

    def close(self) -> None:
        """Ends the browser and removes its profile; a process that was forked off may not."""
        if os.getpid() != self.owner:
            return
        self.family.end()
        self.pipe.close()


def launch(backend: str, timeout_s: float = 30.0) -> Process:
    """Starts a browser without window, with a profile of its own.

    It ends with this process, all of it.

    Args:
        backend: ``"auto"``, ``"shell"`` or ``"chromium"``, see :func:`find_chromium`.
        timeout_s: Seconds to wait for an answer, then and later.

    Raises:
        InputError: Chromium is not installed, does not start, or is too old.
    """
    kind, program = find_chromium(backend)
    process = _start(kind, program, timeout_s)
    try:
        process.product = process.pipe.call("Browser.getVersion")["product"]
    except (BrowserDiedError, CommandError) as error:
        lines = Path(process.folder, "stderr.txt").read_text(errors="replace").splitlines()
        process.close()
        reason = next((line.strip() for line in reversed(lines) if line.strip()), str(error))
        raise InputError(
            f"{program} does not start as a browser ({reason}); {_remedy(kind)}"
        ) from error
    version = process.product.partition("/")[2].partition(".")[0]
    if not version.isdigit() or int(version) < OLDEST:
        process.close()
        raise InputError(
            f"{program} is {process.product}, but {OLDEST} or newer is needed; {_remedy(kind)}"
        )
    return process


def _start(kind: str, program: str, timeout_s: float) -> Process:
    """Starts a program with a pipe to it, which may still turn out to be no browser."""
    folder = tempfile.mkdtemp(prefix="gymworks-")
    flags = [*FLAGS, f"--user-data-dir={folder}"]
    flags += FRAME_FLAGS if kind == "shell" else WINDOW_FLAGS
    flags += sandbox_flags()
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()

    def prepare() -> None:
        # The protocol wants descriptors 3 and 4; the copies keep clear of both.
        low, high = os.dup2(theirs_in, 103), os.dup2(theirs_out, 104)
        os.dup2(low, 3)
        os.dup2(high, 4)
        die_with_parent()

    def run() -> subprocess.Popen[bytes]:
        with Path(folder, "stderr.txt").open("wb") as errors:
            return subprocess.Popen(
                [program, *flags],
                env={**os.environ, "TMPDIR": folder},  # what a killed browser leaves goes with it
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                close_fds=False,  # all but the standard ones and the copies close by themselves
                preexec_fn=prepare,
                start_new_session=True,
            )

    try:
        popen, keeper = keep(run, subprocess.Popen.wait)
    except OSError as error:
        for end in (ours_in, ours_out):
            os.close(end)
        shutil.rmtree(folder)
        raise InputError(f"{program} cannot be run ({error}); {_remedy(kind)}") from error
    finally:
        os.close(theirs_in)
        os.close(theirs_out)
    family = Family(popen.pid, folder, keeper)
    return Process(kind, Pipe(ours_in, ours_out, timeout_s), popen, folder, family)
