"""The codec from pictures to files and back, and files that are not whole."""

import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.codec import container
from envs.codec.codec import Codec, shipped
from hardware_sim.errors import InputError
from tests.envs.codec import invented


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec(invented.network())


@pytest.fixture(scope="module")
def file(codec) -> bytes:
    return codec.encode(invented.picture(70, 40), 3.0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (70, 40), (128, 64)])
@pytest.mark.parametrize("grey", [False, True])
def test_pictures_come_back_in_their_form(codec, shape, grey):
    picture = invented.picture(*shape)
    picture = picture[:, :, 1] if grey else picture
    found = codec.decode(codec.encode(picture, 5.5))
    assert found.shape == picture.shape
    assert found.dtype == np.uint8


@pytest.mark.parametrize("quality", [1.0, 4.0, 7.0])
def test_the_trained_codec_writes_as_much_and_shows_the_same_as_its_network(quality):
    codec = shipped()
    picture = invented.picture(256, 320)
    batch = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        wanted = codec.network(batch, torch.tensor([quality]))
    file = codec.encode(picture, quality)
    shown = (wanted.pictures[0].permute(1, 2, 0).clamp(0, 1) * 255).numpy()
    assert np.abs(codec.decode(file) - shown).max() < 4
    assert 8 * len(file) == pytest.approx(wanted.bits.item() + 8 * 51, rel=0.01)


def test_bad_pictures_and_qualities_are_refused(codec):
    with pytest.raises(InputError, match="float64"):
        codec.encode(np.zeros((8, 8, 3)))
    with pytest.raises(InputError, match=r"\(8, 8, 4\)"):
        codec.encode(np.zeros((8, 8, 4), np.uint8))
    with pytest.raises(InputError, match="1 to"):
        codec.encode(np.zeros((0, 8), np.uint8))
    for quality in (-0.1, 7.1, float("nan")):
        with pytest.raises(InputError, match="qualities"):
            codec.encode(np.zeros((8, 8), np.uint8), quality)


def test_another_models_file_is_refused_by_name(codec, file):
    other = Codec(invented.network(seed=9))
    with pytest.raises(InputError, match=codec.model.hex()):
        other.decode(file)


def test_a_head_that_claims_a_billion_pixels_is_refused(codec, file):
    body = struct.pack("<B8sIIBB", 1, codec.model, 40_000, 25_000, 3, 48)
    claimed = container.MAGIC + container._chunk(b"HEAD", body) + file[len(container.MAGIC) + 31 :]
    with pytest.raises(InputError, match="40000 x 25000"):
        codec.decode(claimed)


def test_every_cut_is_noticed(codec, file):
    for end in (0, 5, 8, 15, 30, 45, len(file) - 1):
        with pytest.raises(InputError):
            codec.decode(file[:end])
    with pytest.raises(InputError, match="after its end"):
        codec.decode(file + b"more")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_changed_byte_is_noticed(codec, file, data):
    place = data.draw(st.integers(0, len(file) - 1))
    changed = bytearray(file)
    changed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InputError):
        codec.decode(bytes(changed))


@settings(max_examples=10, deadline=None)
@given(st.binary(max_size=400))
def test_sound_checksums_over_nonsense_do_no_harm(codec, noise):
    head = container.Head(codec.model, 40, 70, 3, 48)
    try:
        found = codec.decode(container.packed(head, noise))
    except InputError:
        return
    assert found.shape == (70, 40, 3)
