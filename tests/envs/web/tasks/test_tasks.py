"""Every small task: its pages stand, its answer counts, nothing else does."""

import re

import numpy as np
import pytest

from envs.web.application import Request
from envs.web.document import Document
from envs.web.tasks.base import QUERY_HEIGHT, split_of
from envs.web.tasks.catalogue import TASKS, make
from hardware_sim.errors import InputError

NAMES = sorted(TASKS)


def first_page(instance) -> Document:
    document = instance.application.respond(Request("GET", instance.start)).document
    assert document is not None
    return document


def post(instance, pairs) -> Request:
    return Request("POST", "answer", form=tuple(pairs))


def check_boxes(document: Document) -> None:
    """Boxes lie in the viewport, below the instruction."""
    for index, node in enumerate(document.nodes):
        if node.type == "hidden" or node.classes == "query":
            continue
        left, top = document.origin(index)
        assert node.box.width > 0, (document.title, node)
        assert node.box.height > 0 or not node.listed, (document.title, node)
        assert left >= 0, (document.title, node)
        assert left + node.box.width <= document.size[0], (document.title, node)
        assert top >= QUERY_HEIGHT, (document.title, node)
        assert top + node.box.height <= document.size[1], (document.title, node, top)


def check_widgets(document: Document) -> None:
    """Widgets name nodes that are there."""
    ids = {node.id for node in document.nodes}
    for widget in document.widgets:
        for key, value in widget.items():
            if key in ("type", "name", "value", "url", "first", "last", "format"):
                continue
            for name in re.findall(r"[A-Za-z][\w-]*", str(value)):
                assert name in ids, (document.title, widget["type"], name)


@pytest.mark.parametrize("name", NAMES)
def test_pages_stand(name: str) -> None:
    random = np.random.default_rng(3)
    for _ in range(50):
        instance = make(name).instance(random, {})
        document = first_page(instance)
        document.check()
        check_boxes(document)
        check_widgets(document)
        assert len(instance.instruction) <= 84
        assert len(instance.fields) <= 12
        assert len(dict(instance.fields)) == len(instance.fields)
        assert instance.application.respond(Request("GET", "nowhere")).status == 404


@pytest.mark.parametrize("name", NAMES)
def test_only_the_answer_counts(name: str) -> None:
    random = np.random.default_rng(4)
    for _ in range(50):
        instance = make(name).instance(random, {})
        assert instance.judge([Request("GET", "")]) is None
        right = instance.judge([post(instance, instance.answer)])
        assert right is not None
        assert right.is_success
        assert right.score == 1
        for pairs in ([], [(key, "junk") for key, _ in instance.answer]):
            wrong = instance.judge([post(instance, pairs), post(instance, instance.answer)])
            assert wrong is not None
            assert not wrong.is_success
            assert wrong.score <= 0.5
        untouched = [
            (node.name, node.value)
            for node in first_page(instance).nodes
            if node.name
            and node.tag != "button"
            and (node.checked or node.type not in ("checkbox", "radio"))
        ]
        outcome = instance.judge([post(instance, untouched)])
        assert outcome is not None
        assert not outcome.is_success


@pytest.mark.parametrize("name", NAMES)
def test_what_is_typed_is_a_field(name: str) -> None:
    random = np.random.default_rng(5)
    for _ in range(20):
        instance = make(name).instance(random, {})
        texts = {text for _, text in instance.fields}
        typed = {
            node.name
            for node in first_page(instance).nodes
            if node.type in ("text", "password", "range") and not node.readonly
        }
        for key, value in instance.answer:
            assert key not in typed or not value or value in texts


@pytest.mark.parametrize("name", NAMES)
def test_same_generator_same_instance(name: str) -> None:
    first, second = (make(name).instance(np.random.default_rng(6), {}) for _ in range(2))
    assert (first.instruction, first.fields, first.answer) == (
        second.instruction,
        second.fields,
        second.answer,
    )
    assert first_page(first) == first_page(second)


@pytest.mark.parametrize("name", NAMES)
def test_splits_are_apart(name: str) -> None:
    task, random = make(name), np.random.default_rng(7)
    for split in task.splits:
        for _ in range(10):
            instance = task.instance(random, {"split": split})
            assert instance.split == split
            assert split_of(instance.application.drawn) == split


def test_options_are_checked() -> None:
    with pytest.raises(InputError, match=r"train, test|test, train"):
        make("ClickButton").instance(np.random.default_rng(0), {"split": "all"})
    with pytest.raises(InputError, match="split"):
        make("ClickButton").instance(np.random.default_rng(0), {"seed": 3})
    with pytest.raises(InputError, match="ClickButton"):
        make("ClickButtons")
