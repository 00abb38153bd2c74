"""CIFAR-10 is loaded from either layout, and nothing else is."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from envs.compact.cifar import CLASSES, load_splits
from hardware_sim.errors import InputError


def write_batches(folder):
    """Ten pictures a batch in the layout of CIFAR-10's Python version."""
    rng = np.random.default_rng(0)
    for name in ("data_batch_1", "data_batch_2", "test_batch"):
        data = rng.integers(256, size=(10, 3072), dtype=np.uint8)
        batch = {"data": data, "labels": list(range(10)), "batch_label": name}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))


def test_python_batches_and_pictures_by_class_load_the_same(tmp_path):
    batches, pictures = tmp_path / "batches", tmp_path / "pictures"
    batches.mkdir()
    write_batches(batches)
    splits = load_splits(batches, validation=5)
    assert [len(s) for s in (splits.train, splits.validation, splits.test)] == [15, 5, 10]
    raw = pickle.loads((batches / "test_batch").read_bytes())
    for i, name in enumerate(CLASSES):
        for part in ("train", "test"):
            (pictures / part / name).mkdir(parents=True)
            array = raw["data"][i].reshape(3, 32, 32).transpose(1, 2, 0)
            Image.fromarray(array).save(pictures / part / name / "0001.png")
    again = load_splits(pictures, validation=2)
    assert torch.equal(again.test.inputs, splits.test.inputs)
    assert torch.equal(again.test.labels, splits.test.labels)
    assert abs(float(splits.train.inputs.mean())) < 0.5


def test_folders_without_cifar_name_what_is_expected(tmp_path):
    with pytest.raises(InputError, match=r"data_batch_1 to 5 and test_batch"):
        load_splits(tmp_path)
    write_batches(tmp_path)
    with pytest.raises(InputError, match="20 training pictures"):
        load_splits(tmp_path)


def test_a_batch_that_would_run_code_is_refused(tmp_path):
    write_batches(tmp_path)
    (tmp_path / "test_batch").write_bytes(pickle.dumps(print))
    with pytest.raises(InputError, match="has no place"):
        load_splits(tmp_path, validation=1)
