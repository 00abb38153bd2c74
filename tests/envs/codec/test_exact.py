"""The exact entropy model: symbols come back, and every setting of the machine agrees."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.codec import latents
from envs.codec.exact import ExactEntropy
from envs.codec.likelihood import bits
from envs.codec.network import CodecNetwork
from envs.codec.symbols import Reader, Writer
from envs.codec.tables import FRACTION, SCALES, scales, table
from envs.weights import load_weights, save_weights
from hardware_sim.errors import InputError
from tests.envs.codec import invented


def distributions(seed: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Symbols drawn from distributions of all kinds, their means and indices."""
    rng = np.random.default_rng(seed)
    index = rng.integers(0, SCALES, size)
    mean = rng.integers(-900, 900, size)
    symbols = np.rint(rng.normal(mean / FRACTION, scales()[index])).astype(np.int64)
    return symbols, mean, index


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999), st.lists(st.integers(0, 300), max_size=4), st.integers(0, 2**22))
def test_runs_of_symbols_come_back(seed, sizes, far):
    runs = [distributions(seed + number, size) for number, size in enumerate(sizes)]
    for symbols, _, _ in runs:
        symbols[::50] += far * (-1) ** seed
    writer = Writer()
    for run in runs:
        writer.write(*run)
    reader = Reader(writer.bytes())
    for symbols, mean, index in runs:
        np.testing.assert_array_equal(reader.read(mean, index), symbols)


def test_a_symbol_beyond_all_reach_is_refused():
    with pytest.raises(InputError, match="too far"):
        Writer().write(np.array([2**24]), np.array([0]), np.array([0]))


def test_bytes_are_as_many_as_the_normal_distributions_say():
    symbols, mean, index = distributions(3, 60_000)
    writer = Writer()
    writer.write(symbols, mean, index)
    wanted = bits(
        torch.from_numpy(symbols).float(),
        torch.from_numpy(mean).float() / FRACTION,
        torch.from_numpy(scales()[index]).float(),
    )
    assert 8 * len(writer.bytes()) == pytest.approx(wanted.sum().item(), rel=0.005)


@pytest.mark.parametrize("wide", [False, True])
def test_tables_are_distributions_and_their_last_bit_is_known(wide):
    found = table(wide)
    np.testing.assert_allclose(found.sum(axis=2), 1, atol=1e-6)
    assert (found >= 0).all()
    known = {False: "ea4f93ed52f99c24", True: "79e5ec955a1fb126"}
    assert hashlib.sha256(found.tobytes()).hexdigest()[:16] == known[wide]


@pytest.fixture(scope="module")
def exact() -> ExactEntropy:
    return ExactEntropy(invented.network().entropy)


def random_maps(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    side = np.rint(rng.normal(0, 2, (64, 2, 3))).astype(np.int64)
    symbols = np.rint(rng.normal(0, rng.exponential(4, (128, 8, 12)))).astype(np.int64)
    symbols[7, 3, 3] = -3000
    return side, symbols


def test_threads_and_libraries_do_not_matter(exact):
    side, symbols = random_maps(1)
    data, wanted = latents.written(exact, side, symbols, 56)
    threads = torch.get_num_threads()
    try:
        for number in (1, 2):
            for library in (True, False):
                torch.set_num_threads(number)
                with torch.backends.mkldnn.flags(enabled=library):
                    found = latents.read(exact, data, symbols.shape, 56)
                for name in ("symbols", "mean", "index"):
                    np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(wanted.symbols, symbols)


def test_the_layout_of_memory_does_not_matter(exact):
    maps = torch.randint(-200, 200, (1, 64, 5, 7)).float()
    plain = exact.features(maps, 30)
    other = exact.features(maps.to(memory_format=torch.channels_last), 30)
    assert torch.equal(plain, other)


def test_sums_of_integers_have_no_fractions_and_agree_with_doubles(exact):
    layer = exact.middle
    maps = torch.randint(0, 256, (1, 96, 6, 6)).float()
    found = layer(maps, padding=1)
    total = torch.nn.functional.conv2d(
        maps.double(), layer.weights[0].double(), layer.bias.double(), padding=1
    )
    wanted = (total * layer.divisor.double()).floor().clamp(layer.lowest, layer.highest)
    assert torch.equal(found.double(), wanted)
    assert torch.equal(layer.weights[0], layer.weights[0].round())


def digest(weights: str) -> str:
    """A digest of the bytes and the distributions of random maps under a network's weights."""
    network = CodecNetwork()
    load_weights(network, weights)
    data, found = latents.written(ExactEntropy(network.entropy), *random_maps(2), 56)
    return hashlib.sha256(data + found.mean.tobytes() + found.index.tobytes()).hexdigest()


@pytest.mark.parametrize(
    "machine",
    [
        {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
        {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    ],
)
def test_a_process_with_other_instructions_writes_the_same_bytes(tmp_path, machine):
    path = str(tmp_path / "weights.safetensors")
    save_weights(invented.network(), path)
    code = f"from tests.envs.codec.test_exact import digest; print(digest({path!r}))"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | machine,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split()[-1] == digest(path)
