"""Pictures to files and back, by the learned codec."""

import hashlib
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from envs.codec import container, entropy, latents
from envs.codec.container import Head
from envs.codec.exact import PER_QUALITY, ExactEntropy
from envs.codec.likelihood import expected
from envs.codec.network import FINEST, CodecNetwork, padded
from envs.codec.tables import FRACTION, scales
from envs.codec.transforms import LATENTS, STRIDE
from envs.weights import load_weights
from envs.weights import shipped as weights_file
from hardware_sim.errors import InputError

NAME = "codec"
Picture = NDArray[np.uint8]


class Codec:
    """A trained network as a codec whose files are the same on every machine.

    Args:
        network: The network, the ceilings of its rectifiers measured.

    Attributes:
        model: Fingerprint of the network, 8 bytes.
    """

    def __init__(self, network: CodecNetwork) -> None:
        self.network = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.exact = ExactEntropy(network.entropy)
        digest = hashlib.sha256()
        for name, part in sorted(network.state_dict().items()):
            digest.update(name.encode() + part.float().contiguous().cpu().numpy().tobytes())
        self.model = digest.digest()[:8]

    @torch.inference_mode()
    def encode(self, picture: Picture, quality: float = 4.0) -> bytes:
        """A picture as a file.

        Args:
            picture: uint8 ``(H, W, 3)`` or grey ``(H, W)``.
            quality: 0 to 7, in sixteenths.

        Raises:
            InputError: The picture has another form or is too large, or there is no such quality.
        """
        if (
            picture.dtype != np.uint8
            or picture.ndim not in (2, 3)
            or picture.shape[2:] not in ((), (3,))
        ):
            raise InputError(
                f"pictures are uint8 (H, W, 3) or (H, W), not {picture.dtype} {picture.shape}"
            )
        if not 0 <= quality <= FINEST:
            raise InputError(f"qualities are 0 to {FINEST}, not {quality}")
        level = round(quality * PER_QUALITY)
        height, width = picture.shape[:2]
        head = Head(self.model, width, height, 1 if picture.ndim == 2 else 3, level)
        coloured = np.repeat(picture[:, :, None], 3, axis=2) if picture.ndim == 2 else picture
        pixels = torch.from_numpy(np.array(coloured)).permute(2, 0, 1)[None].float()
        maps = self.network.analysis(padded(pixels / 255)) * self._gains(level)
        side = self.network.entropy.side_analysis(maps)
        data, _ = latents.written(self.exact, _integers(side), _integers(maps), level)
        return container.packed(head, data)

    @torch.inference_mode()
    def decode(self, file: bytes) -> Picture:
        """The picture of a file, uint8 ``(H, W, 3)`` or grey ``(H, W)``.

        Raises:
            InputError: It is no such file, damaged, or another model's.
        """
        head, data = container.unpacked(file)
        if head.model != self.model:
            raise InputError(
                f"the file is of the model {head.model.hex()}, this is {self.model.hex()}"
            )
        sides = (
            -(-each // entropy.STRIDE) * entropy.STRIDE // STRIDE
            for each in (head.height, head.width)
        )
        height, width = sides
        found = latents.read(self.exact, data, (LATENTS, height, width), head.quality)
        scale = torch.from_numpy(scales().astype(np.float32)[found.index])
        mean = torch.from_numpy(found.mean.astype(np.float32) / FRACTION)
        maps = expected(torch.from_numpy(found.symbols).float(), mean, scale)
        shown = self.network.synthesis(maps[None] / self._gains(head.quality))[0]
        shown = shown[:, : head.height, : head.width].permute(1, 2, 0)
        if head.colours == 1:
            shown = shown.mean(dim=2)
        picture: Picture = (shown.clamp(0, 1) * 255).round().byte().numpy()
        return picture

    def _gains(self, level: int) -> Tensor:
        gains: Tensor = self.network.gains(torch.tensor([level / PER_QUALITY]))
        return gains


def _integers(maps: Tensor) -> NDArray[np.int64]:
    found: NDArray[np.int64] = maps[0].round().numpy().astype(np.int64)
    return found


@cache
def shipped() -> Codec:
    """The trained codec."""
    network = CodecNetwork()
    load_weights(network, weights_file("envs.codec", NAME))
    return Codec(network)


def encode(picture: Picture, quality: float = 4.0) -> bytes:
    """A picture as a ``.gwi`` file, by the trained codec; see :meth:`Codec.encode`."""
    return shipped().encode(picture, quality)


def decode(file: bytes) -> Picture:
    """The picture of a ``.gwi`` file, by the trained codec; see :meth:`Codec.decode`."""
    return shipped().decode(file)
