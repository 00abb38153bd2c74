"""The one module that asks the host about itself, and that no other does."""

import ast
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import hardware_sim
from hardware_sim import host
from hardware_sim.errors import InputError
from hardware_sim.host import this_machine
from hardware_sim.machine import Machine
from tests.hosts import GREATER, LESSER, pretend

ROOT = Path(hardware_sim.__file__).parents[1]
FLOORS = ("hardware_sim", "envs", "agents", "experiments")
QUESTIONS = {
    "os": {"cpu_count", "process_cpu_count", "sched_getaffinity", "sysconf", "uname"},
    "platform": {"machine", "node", "platform", "processor", "release", "system", "uname"},
    "psutil": {"cpu_count", "cpu_freq", "virtual_memory"},
    "multiprocessing": {"cpu_count"},
}
FILES = ("/proc/cpuinfo", "/proc/meminfo", "/sys/")
ELSEWHERE = {
    "hardware_sim/simulator.py": {"os.cpu_count"},  # threads, on which results do not depend
    "agents/engines/rllib.py": {"os.cpu_count"},  # processes of a session
    "agents/engines/rllib_session.py": {"os.cpu_count"},
    "envs/loops/measured.py": {"os.cpu_count"},  # cores that a measurement may use
    "envs/testing/resources.py": {"os.sysconf"},  # size of the pages of a process
}
"""Questions outside of :mod:`hardware_sim.host`, none of which changes a result."""
ASKERS = {
    "hardware_sim/kernels/accelerate.py",  # runs kernels here, by a plan that was measured here
    "hardware_sim/kernels/compiler.py",  # names libraries by the processor that they may run on
    "envs/softmax/timing.py",  # times layers here
    "envs/convolution/batch.py",  # for the backend that measures here
}
"""Modules below the commands that import :mod:`hardware_sim.host`."""


@cache
def modules() -> tuple[tuple[str, ast.Module], ...]:
    """Every module of the four floors, by its path."""
    return tuple(
        (path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
        for floor in FLOORS
        for path in sorted((ROOT / floor).rglob("*.py"))
    )


def imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The name that each import binds, and what it stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                yield each.asname or each.name.partition(".")[0], each.name
        elif isinstance(node, ast.ImportFrom):
            for each in node.names:
                yield each.asname or each.name, f"{node.module}.{each.name}"


def questions(tree: ast.Module) -> set[str]:
    """Functions, by their full names, and files by which a module may ask the host."""
    names = dict(imported(tree))
    asked = {f"{module}.{name}" for module, all_ in QUESTIONS.items() for name in all_}
    found = asked & set(names.values())
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found |= asked & {f"{names.get(node.value.id, '')}.{node.attr}"}
        if isinstance(node, ast.Constant) and id(node) not in prose and isinstance(node.value, str):
            found |= {file for file in FILES if node.value.startswith(file)}
    return found


def test_no_other_module_asks_the_host():
    found = {name: asked for name, tree in modules() if (asked := questions(tree))}
    assert found.pop("hardware_sim/host.py") >= {"os.sched_getaffinity", "/proc/cpuinfo", "/sys/"}
    assert found == ELSEWHERE


@pytest.mark.parametrize(
    "text",
    [
        "import os\nos.cpu_count()",
        "from os import sched_getaffinity as cores",
        "import platform as p\np.machine()",
        "x = open('/proc/cpuinfo')",
        "x = f'/sys/devices/{1}'",
    ],
)
def test_a_question_is_seen_however_it_is_put(text):
    assert questions(ast.parse(text))
    assert not questions(ast.parse('"""As ``/proc/cpuinfo`` has it."""\nimport os\nos.getpid()'))


def test_only_what_compiles_or_measures_here_wants_this_machine():
    askers = {
        name
        for name, tree in modules()
        for _, what in imported(tree)
        if f"{what}.".startswith("hardware_sim.host.") and not name.startswith("experiments/")
    }
    assert askers == ASKERS


@pytest.mark.parametrize(
    ("features", "architecture", "sets"),
    [
        (GREATER, "x86_64", ("avx512", "avx2", "portable")),
        (LESSER, "x86_64", ("avx2", "portable")),
        (GREATER.replace(" avx2", ""), "x86_64", ("portable",)),
        (GREATER.replace(" avx512bw", ""), "AMD64", ("avx2", "portable")),
        ("asimd", "aarch64", ("neon", "portable")),
        (GREATER, "riscv64", ("portable",)),
    ],
)
def test_what_the_system_lists_is_read(features, architecture, sets, tmp_path, monkeypatch):
    pretend(monkeypatch, tmp_path, features, (16, 512, 4096), 3, architecture)
    found = this_machine()
    assert tuple(each.name for each in found.instruction_sets) == sets
    assert found.isa().name == sets[0]
    assert (found.processor, found.family, found.model) == ("Pretended 9", "8", "7")
    assert (found.cores, found.l1d_bytes, found.l2_bytes, found.l3_bytes) == (
        3, 2**14, 2**19, 2**22,
    )  # fmt: skip
    assert found.memory_bytes > 2**28
    assert host.features() == {"fpu", *features.split()}


def test_common_sizes_stand_in_for_what_the_system_does_not_list(tmp_path, monkeypatch):
    monkeypatch.setattr(host, "CPUINFO", tmp_path / "none")
    monkeypatch.setattr(host, "CACHES", tmp_path)
    found = this_machine()
    assert (found.instruction_set, found.family) == ("portable", "")
    assert [found.l1d_bytes, found.l2_bytes, found.l3_bytes] == [*host.COMMON.values()]
    assert found.processor


def test_a_machine_survives_json_and_names_what_is_missing():
    here = this_machine()
    described = json.loads(json.dumps(here.to_json()))
    assert Machine.from_json(described) == here
    assert Machine.from_json({**described, "memory_bytes": None}).memory_bytes is None
    del described["memory_bytes"], described["l2_bytes"]
    with pytest.raises(InputError, match="needs l2_bytes"):
        Machine.from_json(described)
    for wrong in ({"sockets": 2}, {"instruction_set": "mmx"}, {"cores": 0}, {"l2_bytes": -1}):
        with pytest.raises(InputError, match=next(iter(wrong)).partition("_")[0]):
            Machine.from_json(here.to_json() | wrong)


def test_machines_differ_in_what_changes_their_times():
    here = this_machine()
    assert here.difference(replace(here, cores=99, memory_bytes=None, system="another")) == ""
    other = replace(here, l3_bytes=1)
    assert here.difference(other) == f"l3_bytes {here.l3_bytes}, here 1"
    with pytest.raises(InputError, match="allowed"):
        here.isa("mmx")
