"""Web tasks, one act on an element a step (after Shi et al., World of Bits, ICML 2017)."""

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.arguments import offered
from envs.web import observation
from envs.web.application import Instance, Recorder, Task
from envs.web.browser import release_browsers
from envs.web.client import BrowserClient
from envs.web.devtools import BrowserDiedError
from envs.web.document import Document
from envs.web.drawing import picture
from envs.web.events import MAX_EVENTS
from envs.web.interfaces import ElementInterface, make_interface
from envs.web.observation import Encoder
from envs.web.server import Lease
from envs.web.session import Session, Sight
from envs.web.snapshot import Client, Snapshot
from envs.web.twin import TwinClient
from hardware_sim.errors import InputError, choose
from hardware_sim.naming import resolve_listed

Observation = dict[str, NDArray[Any]]

BACKENDS = ("shell", "chromium", "selenium", "twin")
FIRST_MOMENT_MS = 1_488_326_400_000  # 2017-03-01 UTC, the day on which the sites' calendars begin
FRAME_RATE = 8
STEP_MS = 1000 // FRAME_RATE


class WebEnv(gym.Env[Observation, Any]):
    """Follows an instruction on a web site, in a real browser.

    ## Description

    A web server on the loopback interface serves the pages of a task, a Chromium without window
    shows them, and the agent acts on them as a person does, with trusted events of pointer and
    keyboard. What it achieved is judged from the requests that reached the server, never from the
    page. Clocks of pages run on virtual time and begin at the same moment, so that the same seed
    and actions give the same trajectory. After Shi et al., "World of Bits", ICML 2017.

    ## Action Space

    By default, `actions="elements"`, `Discrete(1445)`, factored: click element `e`, type field `k`
    into `e`, pick `e` up, drop what is held on `e`, press a key; `envs.web.actions` encodes and
    decodes. Typing into a select or a range input chooses the option or number with the field's
    text. `action_masks()`, which other actions lack, gives the legal ones, bool `(1445,)`.

    `actions="events"` takes the raw events of the paper: an action is the events of one frame, at
    most `max_events` presses of keys and states of the pointer, as `MultiDiscrete([3, width,
    height, 2, 108] * max_events)`; `envs.web.events` encodes and decodes lists of `KeyEvent` and
    `PointerEvent`.

    `actions="text"` takes commands such as `click 12` or `type 12 "New York"`, as `Text(1, 256)`
    of the printable ASCII characters; `envs.web.commands.USAGE` describes them. A text that is no
    command, or asks for what cannot be done, is an illegal action; `info["error"]` is the reason.

    ## Observation Space

    A `Dict` over 96 elements and 12 fields, padded.

    | key | shape | type | meaning |
    | --- | --- | --- | --- |
    | `elements` | `(96, F)` | float32 | kind, state, box and number of each element |
    | `text` | `(96, 6)` | int32 | word ids of its text |
    | `match` | `(96, 12, 10)` | int8 | how its text agrees with each field |
    | `element_mask` | `(96,)` | int8 | 1 for a displayed element |
    | `instruction` | `(32,)` | int32 | word ids of the instruction |
    | `fields` | `(12, 8)` | int32 | word ids of each field: two of its name, six of its text |
    | `field_mask` | `(12,)` | int8 | 1 for a field |
    | `focus` | `(1,)` | int32 | the focused element, or -1 |
    | `action_mask` | `(1445,)` | int8 | 1 for a legal action, with `actions="elements"` |
    | `pointer` | `(3,)` | int32 | its place and 1 for a pressed button, with `actions="events"` |
    | `pixels` | `(height, width, 3)` | uint8 | the screen, with `pixels=True` |

    `columns()` names the columns of `elements` and the last axis of `match`.

    ## Rewards

    At the end, `agreement`: the weighted share of the keys that the instruction determines in which
    the agent's request agrees with a human's. `illegal`: -0.05 for an action that the mask rules
    out, which does nothing else. At the last step `info["score"]` is the agreement,
    `info["is_success"]` is true if every key agrees exactly and `info["report"]` gives the
    agreement key by key.

    ## Starting State

    An instruction drawn from the split, and the first page of the site.

    ## Episode End

    Terminates when the last form is sent. Truncates after the task's number of steps (of frames, as
    many as pass in two seconds for each of these), or when the browser is lost, which
    `info["lost"]` explains.

    ## Arguments

    - `task`: the name of a task here, such as `"envs.web.sites.task:FlightTask:united"`; or a task
      (`envs.web.application.Task`), or what makes one when it is called.
    - `backend`: `"shell"` (chromium-headless-shell, the fastest browser), `"chromium"` (an ordinary
      Chromium without window), `"selenium"` (any browser that speaks WebDriver, in real time), or
      `"twin"`, which needs no browser and goes the same way.
    - `pixels`: Whether observations have the screen.
    - `actions`: `"elements"`, `"events"` or `"text"`; see above.
    - `frame_rate`: Steps in a second of the page's clock; `n` steps take `1000 n / frame_rate` ms,
      rounded to whole ms. Loading another page takes as many more as it needs.
    - `max_events`: Most events of a frame, with `actions="events"`.
    - `render_mode`: `"rgb_array"`.

    ## Vectorized environment

    `gym.make_vec(id, num_envs=64)` makes the native class, which runs the twin.

    ## Example

    >>> import gymnasium as gym
    >>> env = gym.make("envs:WoB-Login-v0", backend="twin")
    >>> observation, info = env.reset(seed=0, options={"split": "test"})
    >>> info["split"]
    'test'
    >>> int(observation["element_mask"].sum())
    8
    >>> env.close()

    ## Version History

    - v0: first version.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 2}

    def __init__(
        self,
        task: str | Task | Callable[[], Task],
        backend: str = "shell",
        pixels: bool = False,
        actions: str = "elements",
        frame_rate: float = FRAME_RATE,
        max_events: int = MAX_EVENTS,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None:
            choose("render_mode", render_mode, self.metadata["render_modes"])
        self.backend = choose("backend", backend, list(BACKENDS))
        self.deterministic = backend != "selenium"  # which keeps real time
        if backend == "twin" and (pixels or render_mode):
            raise InputError("the twin draws nothing; pixels and render_mode need a browser")
        if backend == "twin" and actions == "events":
            raise InputError("the twin takes no raw events; they need a browser")
        if not 0 < frame_rate <= 1000:
            raise InputError(f"frame_rate is {frame_rate}; allowed: above 0, at most 1000")
        self.render_mode = render_mode
        if actions == "events":  # an event follows the clock; a person follows acts more slowly
            self.metadata = {**self.metadata, "render_fps": frame_rate}
        self.frame_rate = frame_rate
        self.task = load_task(task)
        self.pixels = pixels
        self.interface = make_interface(actions, self.task, max_events, frame_rate)
        parts = dict(observation.space(self.task.size, pixels).items())
        shown = {key: part for key, part in parts.items() if key != "action_mask"}
        self.shown = {**shown, **self.interface.extras}
        self.observation_space = gym.spaces.Dict(self.shown)
        self.action_space = self.interface.space
        self.arrays = {
            key: np.zeros(part.shape or (), part.dtype)
            for key, part in {**parts, **self.interface.extras}.items()
            if key != "pixels"
        }
        encoder = Encoder(self.arrays, self.task.size)
        self.session = Session(self.task, self._client, encoder, self.interface.max_steps)
        if isinstance(self.interface, ElementInterface):  # others have no mask
            self.action_masks: Callable[[], NDArray[np.bool_]] = partial(_legal, self.arrays)
        self.lease: Lease | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Starts an episode.

        Args:
            seed: Seeds the draw of the instruction and everything on the site.
            options: ``{"split": name}`` and those of the task.

        Raises:
            InputError: An unknown option or split.
        """
        super().reset(seed=seed)
        before = self.np_random.bit_generator.state
        try:
            info = self.session.begin(self.np_random, options)
        except BrowserDiedError:  # since the last step, perhaps; another browser takes over
            self.np_random.bit_generator.state = before
            info = self.session.begin(self.np_random, options)
        self.interface.begin(self.session)
        return self._observation(), info

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Acts on the page.

        Raises:
            InputError: There is no such action, or the episode has ended.
        """
        reward, terminated, truncated, info = self.interface.step(self.session, action)
        return self._observation(), reward, terminated, truncated, info

    def columns(self) -> dict[str, tuple[str, ...]]:
        """Names of the last axis, by key of the observation, where columns mean things apart."""
        return dict(observation.COLUMNS)

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """The screen with the pointer, uint8 ``(height, width, 3)``.

        The instruction stands above the screen where the page does not show it.
        """
        if self.render_mode is None:
            gym.logger.warn('render() needs render_mode="rgb_array" at construction')
            return None
        screen, client = self._screen(), self.session.client
        pointer = client.pointer if isinstance(client, BrowserClient) else None
        instruction = self.instance.instruction
        if any(node.text == instruction for node in self.session.first_page.nodes):
            instruction = ""
        return picture(screen, pointer, instruction)

    def close(self) -> None:
        """Closes the page, and the browser with the last page."""
        self.session.close()
        if self.lease is not None:
            self.lease.close()
            self.lease = None
            release_browsers()

    def answer(self) -> Sight:
        """The present page with the human's answer; what oracles receive."""
        return self.session.sight()

    @property
    def instance(self) -> Instance:
        """The present instruction, its fields and the human's answer."""
        return self.session.instance

    @property
    def document(self) -> Document | None:
        """The page as the server declared it."""
        return self.session.recorder.document

    @property
    def snapshot(self) -> Snapshot:
        """The page as it is now."""
        return self.session.snapshot

    def _client(self, recorder: Recorder, task: Task, seed: int) -> Client:
        if self.backend == "twin":
            return TwinClient(recorder)
        if self.lease is not None and not self.lease.server.running:
            self.lease.close()
            self.lease = None
        if self.lease is None:
            self.lease = Lease()
        step_ms = 1000 / self.frame_rate
        return BrowserClient(
            recorder, task.size, FIRST_MOMENT_MS, seed, step_ms, self.backend, self.pixels
        )

    def _screen(self) -> NDArray[np.uint8]:
        if self.session.client is None:
            raise InputError("there is no page yet; call reset() first")
        return self.session.client.pixels()

    def _observation(self) -> Observation:
        shown = {key: array.copy() for key, array in self.arrays.items() if key in self.shown}
        if self.pixels:
            shown["pixels"] = self._screen()
        return shown


def _legal(arrays: Observation) -> NDArray[np.bool_]:
    return arrays["action_mask"].astype(np.bool_)


def load_task(given: str | Task | Callable[[], Task]) -> Task:
    """A task, or the one that is made by calling, or that a name of the table stands for.

    Args:
        given: A name is ``"module:class"``, or ``"module:class:name"`` to give the class a name.

    Raises:
        InputError: The name is not in the table (:func:`envs.arguments.offered`).
    """
    if not isinstance(given, str):
        return given() if callable(given) else given
    module, _, rest = given.partition(":")
    attribute, _, argument = rest.partition(":")
    names = offered("task")
    makers = {":".join(name.split(":")[:2]) for name in names}
    found = resolve_listed(f"{module}:{attribute}", "task", makers)
    task: Task = found(argument) if argument else found()
    return task
