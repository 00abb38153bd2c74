"""``gymworks watch``: one episode of an agent as a moving picture."""

import base64
import io
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer
from numpy.typing import NDArray
from rich.progress import Progress, SpinnerColumn, TextColumn

from agents.engines.base import qualified
from agents.loading import load_agent
from agents.rollout import Moment
from experiments.evaluate import check_options, make, play
from experiments.options import (
    EnvKwargs,
    Force,
    Options,
    Quiet,
    Split,
    Trust,
    aside,
    deliver,
    output,
    pairs,
    printer,
    reset_options,
)
from experiments.results import Episode
from hardware_sim.errors import InputError, choose
from hardware_sim.files import write_atomic, write_text

FORMATS = (".gif", ".html", ".mp4")
MOST_FRAMES = 300
LAST_FRAME_S = 2.0  # how long a GIF rests before it begins again

Frame = NDArray[np.uint8]


class Film:
    """Frames of an episode of any length, evenly spaced, the last one always among them.

    Args:
        env: Made with ``render_mode="rgb_array"``.
        every: Steps between frames; ``None`` keeps at most 300 frames by doubling the
            distance whenever there are more.

    Raises:
        InputError: ``every`` is below 1.
    """

    def __init__(self, env: gym.Env[Any, Any], every: int | None = None) -> None:
        if every is not None and every < 1:
            raise InputError(f"every is {every}; allowed: at least 1")
        self._env, self._fixed = env, every is not None
        self._every = every or 1
        self._step = 0
        self.frames: list[Frame] = []
        self.steps: list[int] = []

    def __call__(self, moment: Moment) -> None:
        """Takes a frame of an episode that is played, if one is due."""
        self.take(moment.ended)

    def take(self, last: bool) -> None:
        """Takes a frame if one is due; the last one always is."""
        if self._step % self._every == 0 or last:
            self.frames.append(_frame(self._env))
            self.steps.append(self._step)
        self._step += 1
        if not self._fixed and not last and len(self.frames) >= MOST_FRAMES:
            self._every *= 2
            self.frames, self.steps = self.frames[::2], self.steps[::2]

    def write(self, path: Path, fps: float, title: str, caption: str) -> None:
        """Writes the film in the format of its file's ending, one of :data:`FORMATS`."""
        if path.suffix.lower() == ".gif":
            write_gif(path, self.frames, fps)
        elif path.suffix.lower() == ".mp4":
            write_mp4(path, self.frames, fps)
        else:
            write_player(path, self.frames, self.steps, fps, title, caption)


def _frame(env: gym.Env[Any, Any]) -> Frame:
    try:
        frame: Any = env.render()
    except gym.error.DependencyNotInstalled as error:
        raise InputError(f"{_name(env)} cannot be drawn: {error}") from error
    if not isinstance(frame, np.ndarray) or frame.ndim != 3 or frame.shape[2] != 3:
        kind = type(frame).__name__
        raise InputError(f"{_name(env)} renders {kind}; expected an array (height, width, 3)")
    return np.array(frame, np.uint8)


def _name(env: gym.Env[Any, Any]) -> str:
    return env.spec.id if env.spec else type(env.unwrapped).__name__


def film(
    env_id: str,
    agent_name: str,
    seed: int = 0,
    every: int | None = None,
    env_kwargs: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
) -> tuple[Film, Episode, float]:
    """Plays and films an episode.

    Args:
        env_id: Any id that Gymnasium knows.
        agent_name: See :func:`agents.loading.load_agent`.
        seed: Of the episode; the same as episode 0 of this seed in ``gymworks evaluate``.
        every: See :class:`Film`.
        env_kwargs: Arguments of the environment, over those of its spec.
        options: Options of the reset.

    Returns:
        The film, the episode as in ``result.json``, and frames per second that suit it.

    Raises:
        InputError: Id, agent, arguments, options or numbers are wrong, or the environment draws no
            pictures.
    """
    if seed < 0:
        raise InputError(f"seed is {seed}; allowed: at least 0")
    env_id, env_kwargs, options = qualified(env_id), env_kwargs or {}, options or {}
    check_options(env_id, env_kwargs, options)
    env = make(env_id, env_kwargs)
    modes, fps = env.metadata.get("render_modes", []), env.metadata.get("render_fps") or 10
    env.close()
    if "rgb_array" not in modes:
        raise InputError(f"{env_id} draws no pictures: it has no render mode rgb_array")
    env = make(env_id, env_kwargs, render_mode="rgb_array")
    try:
        shot = Film(env, every)
        episode = play(env, load_agent(agent_name, env), seed, 0, shot, options)
    finally:
        env.close()
    return shot, episode, float(fps)


def write_gif(path: Path, frames: list[Frame], fps: float) -> None:
    """A GIF of 256 colours fitted to each frame, which repeats for ever."""
    from PIL import Image

    images = [
        Image.fromarray(frame).quantize(256, method=Image.Quantize.MEDIANCUT) for frame in frames
    ]
    # GIF counts hundredths of a second, and players slow down what is below two of them.
    each = max(20, round(100 / fps) * 10)
    durations = [each] * (len(images) - 1) + [max(each, round(LAST_FRAME_S * 1000))]
    write_atomic(
        path,
        lambda file: images[0].save(
            file,
            format="GIF",
            save_all=True,
            append_images=images[1:],
            duration=durations,
            loop=0,
        ),
    )


def write_player(
    path: Path, frames: list[Frame], steps: list[int], fps: float, title: str, caption: str
) -> None:
    """A page that plays the frames: play, pause and a slider; nothing is loaded from elsewhere."""
    from jinja2 import Environment

    source = files("experiments").joinpath("templates", "player.html").read_text(encoding="utf-8")
    page = Environment(autoescape=True).from_string(source)
    text = page.render(
        title=title,
        caption=caption,
        pictures=[data_uri(frame) for frame in frames],
        steps=steps,
        fps=fps,
    )
    write_text(path, text)


def data_uri(frame: Frame) -> str:
    """A frame within a text, as WebP without loss, which takes half the bytes of a PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, format="WEBP", lossless=True)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def need_ffmpeg() -> None:
    """Raises an InputError unless ffmpeg is installed."""
    from matplotlib.animation import FFMpegWriter

    if not FFMpegWriter.isAvailable():
        raise InputError("mp4 needs ffmpeg, which is not installed; allowed without it: gif, html")


def check_film(path: Path) -> None:
    """Raises an InputError unless a film of this name can be written, before it is made in vain."""
    if choose("kind of file", path.suffix.lower(), FORMATS) == ".mp4":
        need_ffmpeg()


def write_mp4(path: Path, frames: list[Frame], fps: float) -> None:
    """An MP4 through ffmpeg.

    Raises:
        InputError: ffmpeg is not installed.
    """
    from matplotlib.animation import FFMpegWriter
    from matplotlib.figure import Figure

    need_ffmpeg()
    height, width = frames[0].shape[:2]
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    with TemporaryDirectory() as folder:
        part = Path(folder) / "film.mp4"
        writer = FFMpegWriter(fps=fps)  # type: ignore[arg-type]  # takes fractions too
        with writer.saving(figure, str(part), dpi=100):
            for frame in frames:
                figure.clear()
                figure.figimage(frame)
                writer.grab_frame()
        write_atomic(path, lambda file: file.write(part.read_bytes()))


def command(
    env_id: Annotated[str, typer.Argument(metavar="ID", help="Environment.")],
    agent: Annotated[
        str, typer.Option(help="A heuristic, random, a run folder or module:attribute.")
    ],
    path: Annotated[Path, output("episode.gif, .html or .mp4 (needs ffmpeg).", *FORMATS)],
    seed: Annotated[int, typer.Option(help="Seed of the episode.")] = 0,
    split: Split = None,
    option: Options = None,
    env: EnvKwargs = None,
    fps: Annotated[float | None, typer.Option(help="Frames per second; default: its own.")] = None,
    every: Annotated[
        int | None, typer.Option(help="Steps between frames; default: at most 300 frames.")
    ] = None,
    trust: Trust = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Film one episode of an agent."""
    check_film(path)
    if fps is not None and not 0 < fps <= 120:
        raise InputError(f"fps is {fps}; allowed: above 0, at most 120")
    env_kwargs, options = pairs(env or []), reset_options(split, option)
    console = aside(quiet)
    waiting = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        console=console,
        disable=quiet or not console.is_terminal,
        transient=True,
    )
    with waiting:
        waiting.add_task(f"filming {agent} on {env_id}")
        shot, episode, own_fps = film(env_id, agent, seed, every, env_kwargs, options)
        caption = describe(episode)
        title = f"{agent} on {env_id}"
        deliver(path, lambda place: shot.write(place, fps or own_fps, title, caption))
    text = f"{caption}; {len(shot.frames)} frames in {path}"
    printer(silent=quiet).print(text, markup=False)


def describe(episode: Episode) -> str:
    """Seed, length, return and score of an episode for people."""
    parts = [
        f"seed {episode['seed']}",
        f"{episode['length']} steps",
        f"return {episode['return']:.6g}",
    ]
    if episode["score"] is not None:
        parts.append(f"score {episode['score']:.6g}")
    return ", ".join(parts)
