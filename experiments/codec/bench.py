"""Measures the codec: ``python -m experiments.codec.bench FOLDER``.

Each picture of the folder is written as a file at every quality asked for and read back. The rate
is that of the files, the distortion that of the pictures read back, and the curve that of their
means; the time is the processor's, on one thread.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from PIL import Image

from envs.codec.codec import Codec, shipped
from envs.codec.curves import WANTED, rate_at
from envs.codec.similarity import ms_ssim
from hardware_sim.commands import run
from hardware_sim.errors import InputError
from hardware_sim.files import write_atomic

QUALITIES = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
COLUMNS = ("bpp", "ms_ssim", "psnr_db", "encode_ms", "decode_ms")


def measured(codec: Codec, picture: NDArray[np.uint8], quality: float) -> tuple[float, ...]:
    """The values of :data:`COLUMNS` of a picture at a quality."""
    start = time.process_time()
    file = codec.encode(picture, quality)
    written = time.process_time()
    found = codec.decode(file)
    read = time.process_time()
    one, two = (torch.from_numpy(each).permute(2, 0, 1)[None] / 255 for each in (picture, found))
    error = float((one - two).square().mean())
    return (
        8 * len(file) / (picture.shape[0] * picture.shape[1]),
        ms_ssim(one, two).item(),
        -10 * float(np.log10(max(error, 1e-10))),
        1000 * (written - start),
        1000 * (read - written),
    )


def pictures(folder: Path) -> list[NDArray[np.uint8]]:
    """The pictures of a folder in the order of their names, uint8 ``(H, W, 3)``.

    Raises:
        InputError: It holds none.
    """
    paths = [path for path in sorted(folder.glob("*")) if path.suffix.lower() in ENDINGS]
    if not paths:
        raise InputError(f"{folder} holds no picture with an ending among {', '.join(ENDINGS)}")
    found = []
    for path in paths:
        with Image.open(path) as image:
            found.append(np.array(image.convert("RGB")))
    return found


def curve(codec: Codec, chosen: Sequence[NDArray[np.uint8]]) -> list[dict[str, float]]:
    """A row for each quality: means of :data:`COLUMNS`, medians of the times."""
    rows = []
    for quality in QUALITIES:
        figures = np.array([measured(codec, picture, quality) for picture in chosen])
        values = [*figures[:, :3].mean(axis=0), *np.median(figures[:, 3:], axis=0)]
        rows.append({"quality": quality} | dict(zip(COLUMNS, map(float, values), strict=True)))
        typer.echo(", ".join(f"{name} {value:.4g}" for name, value in rows[-1].items()))
    return rows


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of pictures.")],
    output: Annotated[Path | None, typer.Option(help="File of the figures (JSON).")] = None,
) -> None:
    """Prints the codec's rate-distortion curve, and bits per pixel at four similarities."""
    torch.set_num_threads(1)
    codec, chosen = shipped(), pictures(folder)
    codec.decode(codec.encode(chosen[0]))  # the first time, libraries prepare themselves
    rows = curve(codec, chosen)
    similarities = [row["ms_ssim"] for row in rows]
    rates = {
        str(wanted): rate_at(similarities, [row["bpp"] for row in rows], wanted)
        for wanted in WANTED
    }
    for wanted, rate in rates.items():
        shown = "not reached" if rate is None else f"{rate:.4f} bits per pixel"
        typer.echo(f"MS-SSIM {wanted}: {shown} (files, mean of {len(chosen)} pictures)")
    if output:
        result = {"model": codec.model.hex(), "pictures": len(chosen), "curve": rows, "bpp": rates}
        text = json.dumps(result, indent=1) + "\n"
        write_atomic(output, lambda file: file.write(text.encode()))


if __name__ == "__main__":
    run(main)
