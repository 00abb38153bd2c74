"""The screen at each step of a file of demonstrations: pictures in a ZIP beside it.

``name.frames.zip`` belongs to ``name.jsonl`` or ``name.jsonl.xz``. The picture before step 12 of
demonstration 0 is ``0/000012.webp``, without loss; where the screen did not change, there is none,
and the one before holds.
"""

import io
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from envs.web.demonstration_file import SUFFIXES
from hardware_sim.errors import InputError
from hardware_sim.files import write_atomic
from hardware_sim.reading import DAMAGED, FILE_BYTES, parse_picture

Frame = NDArray[np.uint8]


def frames_path(path: str | Path) -> Path:
    """The path of the frames of a file of demonstrations."""
    path = Path(path)
    suffix = next((each for each in reversed(SUFFIXES) if path.name.endswith(each)), "")
    return path.with_name(path.name.removesuffix(suffix) + ".frames.zip")


class FrameWriter:
    """Collects frames and writes them at once."""

    def __init__(self) -> None:
        self._pictures: dict[str, bytes] = {}
        self._last: tuple[int, Frame] | None = None

    def add(self, demonstration: int, step: int, frame: Frame) -> None:
        """Takes the screen before a step, uint8 ``(height, width, 3)``; steps come in order."""
        same = self._last is not None and self._last[0] == demonstration
        if same and self._last is not None and np.array_equal(self._last[1], frame):
            return
        self._last = demonstration, frame
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "WEBP", lossless=True, quality=0, method=0)
        self._pictures[_name(demonstration, step)] = buffer.getvalue()

    def write(self, path: Path) -> Path:
        """Writes the frames beside a file of demonstrations; an older file is replaced.

        Raises:
            InputError: The folder cannot be written.
        """

        def write(file: BinaryIO) -> None:
            with zipfile.ZipFile(file, "w") as packed:
                for name, data in self._pictures.items():
                    packed.writestr(name, data)

        return write_atomic(frames_path(path), write)


def read_frame(path: str | Path, demonstration: int, step: int) -> Frame:
    """The screen before a step, uint8 ``(height, width, 3)``.

    Args:
        path: The file of demonstrations.
        demonstration: Place in the file, from 0.
        step: Index of the step.

    Raises:
        InputError: There are no frames of it, or they cannot be read.
    """
    file, wanted = frames_path(path), _name(demonstration, step)
    try:
        with zipfile.ZipFile(file) as packed:
            names = [name for name in packed.namelist() if name.startswith(f"{demonstration}/")]
            name = max((name for name in names if name <= wanted), default=None)
            if name is None:
                raise InputError(f"it has no frames of demonstration {demonstration}")
            if packed.getinfo(name).file_size > FILE_BYTES:
                raise InputError(f"{name} holds more than {FILE_BYTES >> 20} MiB")
            return parse_picture(packed.read(name))
    except FileNotFoundError:
        raise InputError(f"{file} does not exist; gymworks web replay --frames draws it") from None
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile, *DAMAGED) as error:
        raise InputError(f"{file} cannot be read: {error}") from error


def _name(demonstration: int, step: int) -> str:
    return f"{demonstration}/{step:06d}.webp"
