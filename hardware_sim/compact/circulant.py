"""Circulant projections: a vector of d numbers embeds d channels into fewer in O(d log d).

A circulant matrix multiplies by a cyclic convolution, so that a Fourier transform does its work
(Wang, Xu, Xu, Tao, "Beyond Filters: Compact Feature Map for Portable Deep Model", ICML 2017,
section 3). Random signs before it make a random one nearly keep distances; a fitted one keeps
those of given data.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from hardware_sim.errors import InputError

RIDGE = 1e-4
"""Added to the diagonal of normal equations, as a share of its mean."""


class CirculantProjection(nn.Module):
    """The first ``kept`` entries of a circulant matrix times the sign-flipped channels.

    Differentiable in the input and in ``vector``, which is the trainable parameter.

    Args:
        vector: The first column of the circulant matrix, float ``(d,)``.
        signs: 1 or -1 for each channel, ``(d,)``.
        kept: Number of channels kept, 1 to ``d``.

    Raises:
        InputError: The shapes differ, a sign is neither 1 nor -1, or ``kept`` is out of range.
    """

    vector: nn.Parameter
    signs: Tensor

    def __init__(self, vector: Tensor, signs: Tensor, kept: int) -> None:
        super().__init__()
        if vector.ndim != 1 or vector.shape != signs.shape:
            raise InputError(
                f"vector {tuple(vector.shape)} and signs {tuple(signs.shape)}; expected two of (d,)"
            )
        if not (signs.abs() == 1).all():
            raise InputError("signs must be 1 or -1")
        if not 1 <= kept <= len(vector):
            raise InputError(f"kept is {kept}; allowed: 1 to {len(vector)}")
        self.vector = nn.Parameter(vector.detach().clone())
        self.register_buffer("signs", signs.to(vector.dtype))
        self.kept = kept

    @classmethod
    def random(cls, channels: int, kept: int, seed: int) -> "CirculantProjection":
        """A Gaussian vector of unit expected length and random signs."""
        generator = torch.Generator().manual_seed(seed)
        vector = torch.randn(channels, generator=generator) / channels**0.5
        signs = torch.randint(2, (channels,), generator=generator) * 2.0 - 1.0
        return cls(vector, signs, kept)

    def forward(self, features: Tensor, dim: int = 1) -> Tensor:
        """Projects one dimension of size ``d`` to size ``kept``."""
        channels = len(self.vector)
        flipped = features.movedim(dim, -1) * self.signs
        spectrum = torch.fft.rfft(flipped) * torch.fft.rfft(self.vector)
        projected = torch.fft.irfft(spectrum, n=channels)[..., : self.kept]
        return projected.movedim(-1, dim)

    def matrix(self) -> Tensor:
        """The same as a dense matrix, ``(kept, d)``: what folds into a layer's weights."""
        channels = len(self.vector)
        rows = torch.arange(self.kept, device=self.vector.device)[:, None]
        columns = torch.arange(channels, device=self.vector.device)[None]
        return self.vector[(rows - columns) % channels] * self.signs

    def extra_repr(self) -> str:
        """Shown by ``print(module)``."""
        return f"{len(self.vector)} to {self.kept}"


def fit_projection(
    features: Tensor,
    kept: int,
    activation: Callable[[Tensor], Tensor],
    seed: int,
    steps: int = 150,
) -> CirculantProjection:
    """Chooses the vector from which the activated features can be read best.

    What a later layer sees is ``activation(P y)``. The vector minimises the residual of the best
    affine reading of ``activation(y)`` from it, in the least squares over the given features; a
    residual of zero keeps every distance that a linear layer can tell. In the end the vector is
    scaled so that squared distances between features are kept in the least squares.

    Args:
        features: Before the activation, float ``(n, d)``.
        kept: Channels kept, 1 to ``d``.
        activation: Acts on every entry by itself.
        seed: Seeds vector and signs at the start.
        steps: Steps of Adam.

    Raises:
        InputError: ``kept`` is out of range, or there are fewer features than channels.
    """
    count, channels = features.shape
    if count <= channels:
        raise InputError(f"{count} features for {channels} channels; more than that are needed")
    projection = CirculantProjection.random(channels, kept, seed)
    read = activation(features)
    read = read - read.mean(dim=0)
    optimiser = torch.optim.Adam(projection.parameters(), lr=0.1 / channels**0.5)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        loss = unread_share(activation(features @ projection.matrix().T), read)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        decay.step()
    with torch.no_grad():
        before, after = squared_distances(features, projection(features))
        projection.vector *= ((before * after).sum() / (after * after).sum()).sqrt()
    return projection


def unread_share(seen: Tensor, read: Tensor) -> Tensor:
    """The share of the variance of ``read`` that no affine function of ``seen`` explains.

    Args:
        seen: ``(n, k)``.
        read: Centred, ``(n, d)``.
    """
    seen = seen - seen.mean(dim=0)
    gram = seen.T @ seen
    ridge = RIDGE * gram.diagonal().mean() + torch.finfo(gram.dtype).tiny
    cross = seen.T @ read
    factor = torch.linalg.cholesky(gram + ridge * torch.eye(len(gram)))
    explained = torch.linalg.solve_triangular(factor, cross, upper=False).square().sum()
    return 1 - explained / read.square().sum()


def squared_distances(features: Tensor, projected: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distances of neighbouring rows before and after a projection, ``(n - 1,)`` each."""
    before = features.diff(dim=0).square().sum(dim=1)
    after = projected.diff(dim=0).square().sum(dim=1)
    return before, after
