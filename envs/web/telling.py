"""What a page is told: expressions and commands, and the pictures it answers with."""

import base64
import io
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from envs.web.devtools import Command, Message

PICTURE: Message = {"format": "png", "optimizeForSpeed": True}

NEXT_FRAME = "new Promise(requestAnimationFrame)"
"""An expression that has a value while the page takes in its next frame."""

IN_FRAME = """
new Promise((laidOut) => {
  const observer = new ResizeObserver(() => { observer.disconnect(); laidOut(); });
  observer.observe(document.documentElement);
}).then(() => (SCRIPT))
"""
"""Evaluates ``SCRIPT`` in the page's next frame, as soon as the page has been laid out."""


@lru_cache
def _first_script() -> str:
    return resources.files("envs.web").joinpath("first.js").read_text("utf-8")


def first_script(seed: int) -> str:
    """What runs before a page's own scripts: seeds its randomness, keeps it in its window."""
    return _first_script().replace("SEED", str(seed))


def evaluation(script: str) -> Command:
    """Evaluates an expression; a promise is awaited."""
    settings = {"expression": script, "returnByValue": True, "awaitPromise": True}
    return "Runtime.evaluate", settings


def clock(policy: str, milliseconds: int) -> Command:
    """Lets page time pass; ``policy`` says what it waits for."""
    return "Emulation.setVirtualTimePolicy", {"policy": policy, "budget": milliseconds}


def decoded(data: str) -> NDArray[np.uint8]:
    """The pixels of a picture, uint8 ``(height, width, 3)``, from PNG in base 64."""
    image = Image.open(io.BytesIO(base64.b64decode(data)), formats=["PNG"]).convert("RGB")
    return np.asarray(image, np.uint8)
