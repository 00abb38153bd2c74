"""Circulant projections: a vector of d numbers embeds d channels into fewer in O(d log d).

A circulant matrix multiplies by a cyclic convolution, so that a Fourier transform does its work
(Wang, Xu, Xu, Tao, "Beyond Filters: Compact Feature Map for Portable Deep Model", ICML 2017,
section 3). The order of channels is free and they may change signs first: random signs make a
random vector nearly keep distances, and a good order lets a fitted one keep what given data hold.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from hardware_sim.errors import InputError

RIDGE = 1e-4
"""Added to the diagonal of normal equations, as a share of its mean."""

TIE = 1e-5
"""Channels that explain as much within this share are copies of one another but for their scale."""


class CirculantProjection(nn.Module):
    """The first ``kept`` entries of a circulant matrix times reordered, sign-flipped channels.

    Differentiable in the input and in ``vector``, which is the trainable parameter.

    Args:
        vector: The first column of the circulant matrix, float ``(d,)``.
        signs: 1 or -1 for each reordered channel, ``(d,)``.
        kept: Number of channels kept, 1 to ``d``.
        order: The channels in their new order, a permutation ``(d,)``; as they are if absent.

    Raises:
        InputError: The shapes differ, a sign is neither 1 nor -1, ``kept`` is out of range, or
            ``order`` is no permutation.
    """

    vector: nn.Parameter
    signs: Tensor
    order: Tensor

    def __init__(
        self, vector: Tensor, signs: Tensor, kept: int, order: Tensor | None = None
    ) -> None:
        super().__init__()
        if vector.ndim != 1 or vector.shape != signs.shape:
            raise InputError(
                f"vector {tuple(vector.shape)} and signs {tuple(signs.shape)}; expected two of (d,)"
            )
        if not (signs.abs() == 1).all():
            raise InputError("signs must be 1 or -1")
        if not 1 <= kept <= len(vector):
            raise InputError(f"kept is {kept}; allowed: 1 to {len(vector)}")
        place = torch.arange(len(vector))
        order = place if order is None else order
        if not torch.equal(order.sort().values, place):
            raise InputError(f"order is no permutation of 0 to {len(vector) - 1}")
        self.vector = nn.Parameter(vector.detach().clone())
        self.register_buffer("order", order)
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
        flipped = features.movedim(dim, -1)[..., self.order] * self.signs
        spectrum = torch.fft.rfft(flipped) * torch.fft.rfft(self.vector)
        projected: Tensor = torch.fft.irfft(spectrum, n=channels)[..., : self.kept]
        return projected.movedim(-1, dim)

    def matrix(self) -> Tensor:
        """The projection as a dense matrix, ``(kept, d)``, to fold into a layer's weights."""
        channels = len(self.vector)
        rows = torch.arange(self.kept, device=self.vector.device)[:, None]
        columns = torch.arange(channels, device=self.vector.device)[None]
        reordered = self.vector[(rows - columns) % channels] * self.signs
        return reordered[:, self.order.argsort()]

    def extra_repr(self) -> str:
        """The sizes, shown by ``print(module)``."""
        return f"{len(self.vector)} to {self.kept}"


def fit_projection(
    features: Tensor,
    kept: int,
    activation: Callable[[Tensor], Tensor],
    steps: int = 150,
) -> CirculantProjection:
    """Chooses the vector from which the activated features can be read best.

    What a later layer sees is ``activation(P y)``. The vector minimises the residual of the best
    affine reading of ``activation(y)`` from it, in the least squares over the given features; a
    residual of zero keeps every distance that a linear layer can see. It starts from the identity
    with the most informative channels first, because an activation such as ReLU loses half of the
    information in a random mixture. In the end the vector is scaled so that squared distances
    between features are kept in the least squares.

    Args:
        features: Before the activation, float ``(n, d)``.
        kept: Channels kept, 1 to ``d``.
        activation: Acts on every entry by itself.
        steps: Steps of Adam.

    Raises:
        InputError: ``kept`` is out of range, or there are fewer features than channels.
    """
    count, channels = features.shape
    if count <= channels:
        raise InputError(f"{count} features for {channels} channels; more than that are needed")
    read = activation(features)
    read = read - read.mean(dim=0)
    first = torch.zeros(channels)
    first[0] = 1.0
    projection = CirculantProjection(first, torch.ones(channels), kept, informative_order(read))
    optimiser = torch.optim.Adam(projection.parameters(), lr=0.1 / channels**0.5)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        loss = unread_share(activation(features @ projection.matrix().T), read)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        decay.step()
    with torch.no_grad():
        before, after = squared_distances(features, projection(features))
        projection.vector.mul_(((before * after).sum() / (after * after).sum()).sqrt())
    return projection


def informative_order(read: Tensor) -> Tensor:
    """Channels such that each explains most of what those before it leave, int64 ``(d,)``.

    Of channels that explain the same the one of largest variance comes first: the ridge of whatever
    is fitted on it hurts it least.

    Args:
        read: Centred features ``(n, d)``.
    """
    left = read.T.double() @ read.double() / len(read)
    variance = left.diagonal().clone()
    floor = 1e-9 * float(left.diagonal().max()) + torch.finfo(left.dtype).tiny
    waiting = torch.ones(len(left), dtype=torch.bool)
    order = []
    for _ in range(len(left)):
        explained = left.square().sum(dim=0) / left.diagonal().clamp_min(floor)
        explained = explained.masked_fill(~waiting, -1.0)
        best = waiting & (explained >= (1 - TIE) * explained.max())
        chosen = int(variance.masked_fill(~best, -1.0).argmax())
        waiting[chosen] = False
        order.append(chosen)
        if left[chosen, chosen] > floor:
            left = left - torch.outer(left[chosen], left[chosen]) / left[chosen, chosen]
    return torch.tensor(order)


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
    left: Tensor = 1 - explained / read.square().sum()
    return left


def squared_distances(features: Tensor, projected: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distances of neighbouring rows before and after a projection, ``(n - 1,)`` each."""
    before = features.diff(dim=0).square().sum(dim=1)
    after = projected.diff(dim=0).square().sum(dim=1)
    return before, after
