"""Files of other people, read within limits: what one unpacks to, and how deep its JSON goes.

Every reader raises :class:`InputError` where a file is not as it should be or is beyond a limit,
before memory is spent on it. Files packed by gzip or xz are known by their names or first bytes.
"""

import gzip
import io
import json
import lzma
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hardware_sim.errors import InputError

FILE_BYTES = 1 << 26
"""Most bytes of a file that is read as a whole, unpacked."""

LINE_BYTES = 1 << 26
"""Most bytes of a line of a file that is read line by line."""

STREAM_BYTES = 1 << 31
"""Most bytes of a file that is read line by line, unpacked."""

JSON_DEPTH = 200
"""Most arrays and objects of JSON within each other."""

ARRAYS_BYTES = 1 << 30
"""Most bytes of the arrays in a ``.npz`` file, unpacked."""

PIXELS = 1 << 24
"""Most pixels of a picture."""

DAMAGED = (EOFError, lzma.LZMAError, zlib.error)
"""Errors of reading packed files that are cut off or changed."""


def read_bytes(path: str | Path, most: int = FILE_BYTES) -> bytes:
    """The content of a file, unpacked where it is packed.

    Args:
        path: The file.
        most: Most bytes that the content may have.

    Raises:
        InputError: The file cannot be read, is damaged, or has more bytes than that.
    """
    try:
        with _opened(path) as file:
            data = file.read(most + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except DAMAGED as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if len(data) > most:
        raise InputError(f"{path} cannot be read: it holds more than {_size(most)}")
    return data


def read_lines(path: str | Path, most: int = STREAM_BYTES) -> Iterator[bytes]:
    """The lines of a file, unpacked where it is packed, as they are asked for.

    Args:
        path: The file.
        most: Most bytes that its lines may have together.

    Raises:
        InputError: The file cannot be read, is damaged, or has more bytes than that; or a line has
            more than :data:`LINE_BYTES`. The message has the line's number.
    """
    number = passed = 0
    try:
        with _opened(path) as file:
            while line := file.readline(LINE_BYTES + 1):
                number, passed = number + 1, passed + len(line)
                if len(line) > LINE_BYTES:
                    raise InputError(f"{path}, line {number}: more than {_size(LINE_BYTES)}")
                if passed > most:
                    raise InputError(f"{path}, line {number}: the file has more than {_size(most)}")
                yield line
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except DAMAGED as error:
        raise InputError(f"{path} cannot be read after line {number}: {error}") from error


def read_json(path: str | Path, most: int = FILE_BYTES) -> Any:
    """The content of a JSON file.

    Raises:
        InputError: See :func:`read_bytes` and :func:`parse_json`.
    """
    data = read_bytes(path, most)
    try:
        return parse_json(data)
    except InputError as error:
        raise InputError(f"{path} is not readable JSON: {error}") from error


def parse_json(text: str | bytes, constant: Callable[[str], Any] | None = None) -> Any:
    """The value that JSON stands for.

    Args:
        text: JSON.
        constant: Called with ``NaN``, ``Infinity`` or ``-Infinity``, which are no JSON, for their
            value; floats by default.

    Raises:
        InputError: It is no JSON, or has more than :data:`JSON_DEPTH` arrays and objects within
            each other.
    """
    try:
        value = json.loads(text, parse_constant=constant)
    except RecursionError:
        value = None
    except ValueError as error:
        raise InputError(str(error)) from error
    else:
        if not _deep(value):
            return value
    raise InputError(f"it is nested deeper than {JSON_DEPTH} levels")


def read_array(path: str | Path) -> NDArray[Any]:
    """The array of a ``.npy`` file; nothing is reserved that the file does not hold.

    Raises:
        InputError: The file cannot be read, or holds no array of plain numbers.
    """
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(found, np.ndarray):
            return np.array(found)
        found.close()
    except (OSError, ValueError, OverflowError, EOFError) as error:
        raise InputError(f"{path} is no .npy file of numbers: {error}") from error
    raise InputError(f"{path} is no .npy file of numbers: it holds several arrays")


def read_arrays(path: str | Path) -> dict[str, NDArray[Any]]:
    """The arrays of a ``.npz`` file by name.

    Raises:
        InputError: The file cannot be read, holds anything but arrays of plain numbers, or more
            than :data:`ARRAYS_BYTES`.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(member.file_size for member in packed.infolist())
        if size > ARRAYS_BYTES:
            raise InputError(f"{size >> 20} MiB; allowed: {_size(ARRAYS_BYTES)}")
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, ArithmeticError, MemoryError, zipfile.BadZipFile, *DAMAGED) as error:
        raise InputError(f"{path} is no .npz file of numbers: {error}") from error


def parse_picture(data: bytes) -> NDArray[np.uint8]:
    """The pixels of a picture in any common format, uint8 ``(height, width, 3)``.

    Raises:
        InputError: It is no picture, or has more than :data:`PIXELS`.
    """
    from PIL import Image  # only some packages need it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # a lower limit follows
            image = Image.open(io.BytesIO(data))
        if image.width * image.height <= PIXELS:
            return np.asarray(image.convert("RGB"), np.uint8)
    except Exception as error:  # its readers raise whatever malformed bytes lead them to
        raise InputError(f"it is no picture: {error}") from error
    raise InputError(f"it has {image.width} x {image.height} pixels; allowed: {PIXELS} in all")


def _opened(path: str | Path) -> IO[bytes]:
    with Path(path).open("rb") as file:
        start = file.read(6)
    suffix = Path(path).suffix
    if suffix == ".gz" or start[:2] == b"\x1f\x8b":
        return gzip.open(path)  # type: ignore[return-value]
    if suffix == ".xz" or start == b"\xfd7zXZ\x00":
        return lzma.open(path)
    return Path(path).open("rb")


def _deep(value: Any) -> bool:
    """True if a value has too many arrays and objects within each other."""
    level = [value]
    for _ in range(JSON_DEPTH + 1):
        level = [
            child
            for each in level
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count} bytes"
