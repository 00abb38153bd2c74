"""The file format ``.gwi``: chunks with lengths and checksums.

All numbers are little-endian. A file is the eight bytes of :data:`MAGIC`, then chunks. A chunk is
its tag (4 bytes), the length of its body (4), the CRC-32 of tag and body (4), and the body.

The chunk ``HEAD`` comes first, of 19 bytes: the format's version (1), the model's fingerprint (8),
width (4), height (4), mode (1: 1 grey, 3 RGB), quality (1: sixteenths). ``DATA`` follows, the coded
latent maps in words of four bytes; see :mod:`envs.codec.latents`.
"""

import struct
import zlib
from dataclasses import dataclass

from envs.codec.exact import PER_QUALITY
from envs.codec.network import FINEST
from hardware_sim.errors import InputError

MAGIC = b"\x89GWI\r\n\x1a\n"
VERSION = 1
MODES = (1, 3)
"""Numbers of colours."""

MOST_PIXELS = 2**23
"""Pixels that a picture may have."""

_CHUNK = struct.Struct("<4sII")
_HEAD = struct.Struct("<B8sIIBB")


@dataclass(frozen=True)
class Head:
    """The head of a file: its model, and the shape of its picture.

    Attributes:
        model: Fingerprint of the model that wrote it, 8 bytes.
        width: Pixels.
        height: Pixels.
        colours: One of :data:`MODES`.
        quality: In sixteenths, 0 to 112.
    """

    model: bytes
    width: int
    height: int
    colours: int
    quality: int

    def __post_init__(self) -> None:
        if not (self.width and self.height and self.width * self.height <= MOST_PIXELS):
            raise InputError(
                f"pictures have 1 to {MOST_PIXELS} pixels, not {self.width} x {self.height}"
            )
        if self.colours not in MODES:
            raise InputError(f"pictures have 1 or 3 colours, not {self.colours}")
        if not 0 <= self.quality <= FINEST * PER_QUALITY:
            raise InputError(f"qualities are 0 to {FINEST}, not {self.quality / PER_QUALITY}")


def packed(head: Head, data: bytes) -> bytes:
    """A file."""
    body = _HEAD.pack(VERSION, head.model, head.width, head.height, head.colours, head.quality)
    return MAGIC + _chunk(b"HEAD", body) + _chunk(b"DATA", data)


def unpacked(file: bytes) -> tuple[Head, bytes]:
    """The head and the coded latent maps of a file.

    Raises:
        InputError: It is no such file, or damaged.
    """
    if not file.startswith(MAGIC):
        raise InputError("this is not a .gwi file")
    body, rest = _take(b"HEAD", file[len(MAGIC) :])
    if len(body) != _HEAD.size or body[0] != VERSION:
        raise InputError("this .gwi file is of another version")
    head = Head(*_HEAD.unpack(body)[1:])
    data, rest = _take(b"DATA", rest)
    if rest:
        raise InputError(f"the file goes on for {len(rest)} bytes after its end")
    return head, data


def _chunk(tag: bytes, body: bytes) -> bytes:
    return _CHUNK.pack(tag, len(body), zlib.crc32(tag + body)) + body


def _take(tag: bytes, file: bytes) -> tuple[bytes, bytes]:
    """The body of the chunk that a file begins with, and what follows it."""
    name = tag.decode()
    if len(file) < _CHUNK.size:
        raise InputError(f"the file ends before its chunk {name}")
    found, length, check = _CHUNK.unpack_from(file)
    if found != tag:
        raise InputError(f"the file has something else where its chunk {name} should be")
    body = file[_CHUNK.size : _CHUNK.size + length]
    if len(body) < length:
        raise InputError(f"the file ends {length - len(body)} bytes before its chunk {name} does")
    if zlib.crc32(tag + body) != check:
        raise InputError(f"the chunk {name} is damaged")
    return body, file[_CHUNK.size + length :]
