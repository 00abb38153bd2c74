"""A real text and a small language model to judge output layers by.

The text is the GNU Collaborative International Dictionary of English (GPL-2 or later; Webster 1913
and WordNet), ten million tokens of definitions and quotations. Debian ships it: ``apt-get download
dict-gcide`` and ``dpkg-deb -x``, or ``apt-get install dict-gcide``. It is not part of this project.
"""

import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hardware_sim.errors import InputError
from hardware_sim.reading import read_bytes
from hardware_sim.timing import clock_of

PACKAGE = "dict-gcide"
FILE = "usr/share/dictd/gcide.dict.dz"
_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)?|[.,;:!?]")
_NOISE = re.compile(r"\\.*?\\|\[[^\]]*\]|\([^)]*\)|\{|\}")
"""Hyphenated headwords, sources, pronunciations, and the braces around cross-references."""


@dataclass(frozen=True, eq=False)
class Text:
    """Word numbers of a text; word 0 is the most frequent.

    Attributes:
        counts: int64 ``(V,)``, falling, of the training part; every word of the vocabulary counts
            at least once.
        train: int64 ``(T,)``.
        held_out: int64 ``(H,)``, one block in twenty.
    """

    counts: NDArray[np.int64]
    train: NDArray[np.int64]
    held_out: NDArray[np.int64]


def read_dictionary(path: str | Path | None = None) -> str:
    """The dictionary's text, from a file, the installed package, or the package's archive.

    Args:
        path: A text file, plain or compressed by gzip or dictzip. By default the installed
            package's; where it is not installed, ``apt-get download`` fetches the archive.

    Raises:
        InputError: The file cannot be read, or the package cannot be had here.
    """
    installed = Path("/", FILE)
    if path is not None or installed.exists():
        return _read(Path(path or installed))
    with tempfile.TemporaryDirectory() as folder:
        return _read(_download(Path(folder)))


def _download(folder: Path) -> Path:
    """Unpacks the Debian package into a folder."""
    try:
        subprocess.run(
            ["apt-get", "download", PACKAGE], cwd=folder, capture_output=True, check=True
        )
        (archive,) = folder.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", str(archive), str(folder)], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(
            f"the Debian package {PACKAGE} is neither installed nor to be had here ({error}); "
            "name a text file of your own"
        ) from None
    return folder / FILE


def _read(path: Path) -> str:
    return read_bytes(path).decode("utf8", "replace")


def tokenise(text: str, vocabulary: int, block: int = 2_000) -> Text:
    """Numbers the words of a text by falling frequency.

    Args:
        text: Any text; case, digits and brackets are dropped.
        vocabulary: Words ``V``; rarer ones become one word of their own among them.
        block: Tokens of a block; every twentieth is held out.

    Raises:
        InputError: The text has fewer than ``V`` different words, or fewer than twenty blocks.
    """
    words = _TOKEN.findall(_NOISE.sub(" ", text.lower()))
    common = Counter(words).most_common(vocabulary - 1)
    if len(common) < vocabulary - 1 or len(words) < 20 * block:
        raise InputError(
            f"the text has {len(words)} words, {len(common)} of the {vocabulary} different ones "
            f"that are needed; at least {20 * block} words are needed"
        )
    number = {word: i for i, (word, _) in enumerate(common)}
    tokens = np.fromiter((number.get(word, vocabulary - 1) for word in words), np.int64)
    held = np.arange(len(tokens)) // block % 20 == 19
    counts = np.maximum(np.bincount(tokens[~held], minlength=vocabulary), 1)
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(vocabulary, np.int64)
    rank[order] = np.arange(vocabulary)
    return Text(counts[order], rank[tokens[~held]], rank[tokens[held]])


class LanguageModel(nn.Module):
    """Embedding, one LSTM layer, and an output layer that gives the loss of the next words.

    Args:
        vocabulary: Words.
        hidden: Width of the embedding and of the LSTM.
        loss: Maps hidden states ``(N, hidden)`` and next words ``(N,)`` to the mean loss in nats.
    """

    def __init__(
        self, vocabulary: int, hidden: int, loss: Callable[[Tensor, Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, hidden, sparse=True)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.lstm = nn.LSTM(hidden, hidden)
        self.loss = loss

    def forward(
        self, tokens: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Loss and new state of ``(T + 1, B)`` tokens, each predicted from those before it."""
        hidden, state = self.lstm(self.embedding(tokens[:-1]), state)
        return self.loss(hidden.flatten(0, 1), tokens[1:].flatten()), (
            state[0].detach(),
            state[1].detach(),
        )


class FullSoftmax(nn.Module):
    """The ordinary output layer, without bias as the adaptive one.

    Args:
        hidden: Width of the hidden states.
        vocabulary: Words.
    """

    def __init__(self, hidden: int, vocabulary: int) -> None:
        super().__init__()
        self.weight = nn.Linear(hidden, vocabulary, bias=False)

    def forward(self, hidden: Tensor, words: Tensor) -> Tensor:
        """Mean cross-entropy in nats."""
        return nn.functional.cross_entropy(self.weight(hidden), words)


@dataclass(frozen=True)
class Training:
    """The result of a training.

    Attributes:
        perplexity: On the held-out part, after the last step.
        step_ms: Least time of a whole training step, in ms: the thread's on a CPU, else wall time.
        curve: Held-out loss in nats after each of the asked-for steps.
    """

    perplexity: float
    step_ms: float
    curve: dict[int, float]


def train(
    text: Text,
    output: nn.Module,
    hidden: int,
    steps: int,
    *,
    rows: int = 32,
    length: int = 20,
    checkpoints: tuple[int, ...] = (),
    seed: int = 0,
    device: str = "cpu",
) -> Training:
    """Trains a model with Adagrad, learning rate 0.1, truncated after ``length`` words.

    The setting is that of the paper's Text8 experiment (arXiv 1609.04309) at a smaller
    size; gradients are clipped at norm 1.

    Args:
        text: The words.
        output: :class:`FullSoftmax`, or anything that maps hidden states and words to a loss or
            to a named tuple with ``loss``.
        hidden: Width of the model.
        steps: Training steps of ``rows * length`` words.
        rows: Parallel streams of text.
        length: Words of a stream in a step.
        checkpoints: Steps after which the held-out loss is measured; the last step always is.
        seed: Of the embedding and the LSTM.
        device: Of torch; ``output`` is on it.
    """
    torch.manual_seed(seed)
    model = LanguageModel(
        len(text.counts), hidden, lambda h, w: getattr(found := output(h, w), "loss", found)
    ).to(device)
    output.train()
    parameters = [*model.parameters(), *output.parameters()]
    dense = [p for p in parameters if p is not model.embedding.weight]
    optimizer = torch.optim.Adagrad(parameters, lr=0.1)
    stream, now = streams(text.train, rows).to(device), clock_of(device)
    state, curve, least = None, {}, float("inf")
    for step in range(1, steps + 1):
        start = (step - 1) * length % (len(stream) - length - 1)
        batch = stream[start : start + length + 1]
        began = now()
        optimizer.zero_grad(set_to_none=True)
        loss, state = model(batch, state)
        loss.backward()
        nn.utils.clip_grad_norm_(dense, 1.0)
        optimizer.step()
        least = min(least, now() - began)
        if step in checkpoints or step == steps:
            curve[step] = held_out_loss(model, text, device=device)
    return Training(float(np.exp(curve[steps])), least * 1e3, curve)


def streams(tokens: NDArray[np.int64], rows: int) -> Tensor:
    """Cuts a text into ``rows`` parallel streams, int64 ``(T, rows)``."""
    length = len(tokens) // rows
    return torch.from_numpy(tokens[: length * rows].reshape(rows, length).T.copy())


@torch.no_grad()
def held_out_loss(
    model: LanguageModel, text: Text, rows: int = 32, length: int = 20, device: str = "cpu"
) -> float:
    """Mean loss in nats over the first 20,000 held-out words or fewer."""
    stream, state, losses = streams(text.held_out[:20_000], rows).to(device), None, []
    for start in range(0, len(stream) - length, length):
        loss, state = model(stream[start : start + length + 1], state)
        losses.append(float(loss))
    return float(np.mean(losses))
