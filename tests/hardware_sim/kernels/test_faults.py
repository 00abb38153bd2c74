"""Faults of compilers, caches and kernels are values with a status and a detail."""

import hashlib
import json
import os
import stat

import pytest

from hardware_sim.host import this_machine
from hardware_sim.kernels import (
    KernelError,
    Outcome,
    Plan,
    Problem,
    Variant,
    compiler,
    notes,
    verify,
)
from hardware_sim.kernels.checking import run_trial

HERE = this_machine()
PROBLEM = Problem(3, 4, (8, 8), 3, padding=1)
VARIANT = Variant("direct", isa="portable")
HEAD = (
    "int run(const float *x, const float *u, const float *b, float *y, float *s, const long *g,"
    " const float *add)"
)


def fake_compiler(tmp_path, monkeypatch, body):
    """Makes ``CC`` a shell script that prints its version or else runs the body."""
    script = tmp_path / "cc"
    script.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo fake && exit 0\n{body}\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CC", str(script))


def test_no_compiler(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    outcome = verify(PROBLEM, VARIANT, HERE)
    assert outcome.status == "no compiler"
    assert "install a C compiler or set CC" in outcome.detail


@pytest.mark.parametrize("body", ["echo unknown option >&2; exit 1", "exit 0"])
def test_a_compiler_that_makes_nothing(tmp_path, monkeypatch, body):
    fake_compiler(tmp_path, monkeypatch, body)
    assert verify(PROBLEM, VARIANT, HERE).status == "compile failed"


def test_a_program_that_cannot_run_as_a_compiler(tmp_path, monkeypatch):
    fake_compiler(tmp_path, monkeypatch, "")
    (tmp_path / "cc").write_bytes(b"\x00\x01")
    assert verify(PROBLEM, VARIANT, HERE).status == "compile failed"


@pytest.mark.parametrize(
    "body", [r"printf '\377\376\0garbage' ; exit 1", r"printf '\377' >&2; kill -SEGV $$"]
)
def test_a_compiler_that_only_prints_garbage(tmp_path, monkeypatch, body):
    script = tmp_path / "cc"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CC", str(script))
    outcome = verify(PROBLEM, VARIANT, HERE)
    assert outcome.status == "compile failed"
    assert "no library" in outcome.detail or "\ufffd" in outcome.detail


def test_a_compiler_that_makes_another_library(tmp_path, monkeypatch):
    other = compiler.library("int main_thing(void) { return 1; }", ())
    fake_compiler(tmp_path, monkeypatch, f'while [ "$1" != -o ]; do shift; done; cp {other} "$2"')
    outcome = verify(PROBLEM, VARIANT, HERE)
    assert outcome.status == "crashed"
    assert "undefined symbol: run" in outcome.detail


def test_a_compiler_that_makes_rubbish(tmp_path, monkeypatch):
    fake_compiler(tmp_path, monkeypatch, 'while [ "$1" != -o ]; do shift; done; echo no > "$2"')
    outcome = verify(PROBLEM, VARIANT, HERE)
    assert outcome.status == "crashed"
    assert "OSError" in outcome.detail


def test_a_compiler_that_never_ends(tmp_path, monkeypatch):
    mark = tmp_path / "pid"
    fake_compiler(tmp_path, monkeypatch, f"echo $$ > {mark}; sleep 600 & wait")
    outcome = verify(PROBLEM, VARIANT, HERE, compile_limit_s=1.0)
    assert outcome.status == "compile timed out"
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GYMWORKS_KERNEL_CACHE", str(tmp_path / "file" / "cache"))
    outcome = verify(PROBLEM, VARIANT, HERE)
    assert outcome.status == "no cache"
    assert "GYMWORKS_KERNEL_CACHE" in outcome.detail


def test_a_cache_from_another_processor_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("GYMWORKS_KERNEL_CACHE", str(tmp_path))
    source = HEAD + " { return 0; }"
    monkeypatch.setattr(compiler, "features", lambda: frozenset({"avx1024"}))
    there = compiler.library(source, ())
    monkeypatch.undo()
    monkeypatch.setenv("GYMWORKS_KERNEL_CACHE", str(tmp_path))
    here = compiler.library(source, ())
    assert here != there
    assert here == compiler.library(source, ())
    assert compiler.is_intact(here)


def test_the_compilers_time_is_kept_with_the_library():
    path = compiler.library(HEAD + " { return 11; }", ())
    assert compiler.seconds(path) > 0
    assert compiler.seconds(path.with_name("none.so")) == 0


def test_a_torn_library_is_rebuilt():
    source = HEAD + " { return 7; }"
    path = compiler.library(source, ())
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    assert not compiler.is_intact(path)
    assert compiler.library(source, ()) == path
    assert compiler.is_intact(path)


FORGED = "#include <stdlib.h>\n__attribute__((constructor)) static void steal(void) { exit(66); }\n"


def test_a_library_that_somebody_put_there_is_not_believed(cache_folder):
    source = HEAD + " { return 8; }"
    path = compiler.library(source, ())
    mine, note = path.read_bytes(), json.loads(path.with_suffix(".json").read_text())
    theirs = compiler.library(FORGED + source, ())
    path.write_bytes(theirs.read_bytes())
    digest = hashlib.sha256(theirs.read_bytes()).hexdigest()
    for forged in (
        {"sha256": digest, "seconds": 1.0},
        note | {"sha256": digest},
        json.loads(theirs.with_suffix(".json").read_text()),  # a note of another library
    ):
        path.with_suffix(".json").write_text(json.dumps(forged))
        assert not compiler.is_intact(path)
    assert compiler.library(source, ()) == path
    assert path.read_bytes() == mine


def test_a_check_that_somebody_noted_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("GYMWORKS_KERNEL_CACHE", str(tmp_path))
    assert verify(PROBLEM, VARIANT, HERE).detail != "checked before"
    assert verify(PROBLEM, VARIANT, HERE).detail == "checked before"
    (record,) = tmp_path.glob("*-*.json")
    record.write_text('{"error": 0.0}')
    assert verify(PROBLEM, VARIANT, HERE).detail != "checked before"


def test_the_cache_is_for_its_user_alone(tmp_path, monkeypatch):
    folder = tmp_path / "new" / "kernels"
    monkeypatch.setenv("GYMWORKS_KERNEL_CACHE", str(folder))
    compiler.library(HEAD + " { return 9; }", ())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / notes.KEY).stat().st_mode & 0o777 == 0o600
    for mode in (0o755, 0o770, 0o777):
        folder.chmod(mode)
        outcome = verify(PROBLEM, VARIANT, HERE)
        assert outcome.status == "no cache"
        assert f"chmod 700 {folder}" in outcome.detail
    folder.chmod(0o700)
    monkeypatch.setattr(notes.os, "geteuid", lambda: os.getuid() + 1)
    outcome = verify(PROBLEM, VARIANT, HERE)
    assert outcome.status == "no cache"
    assert "belongs to another user" in outcome.detail


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("y[-1] = 0;", "out of bounds"),
        ("y[1000000000] = 0;", "crashed"),
        ("u = 0; y[0] = u[0];", "crashed"),
        ("__builtin_trap();", "crashed"),  # an instruction that the processor lacks
        ("*(volatile float *)x = 1;", "out of bounds"),
        ("for (volatile long i = 0; i >= 0;) ;", "hung"),
        ("", "wrong"),
        ("for (int i = 0; i < 256; i++) y[i] = 0;", "wrong"),
    ],
)
def test_what_a_broken_kernel_does_is_an_outcome(body, status):
    library = compiler.library(f"{HEAD} {{ {body} return 0; }}", ())
    outcome = run_trial(
        library, Plan(PROBLEM, VARIANT, HERE), limit_s=3.0 if status == "hung" else 100.0
    )
    assert outcome.status == status, outcome
    assert not outcome


def test_what_passed_is_remembered_for_its_arguments(monkeypatch):
    first = verify(PROBLEM, VARIANT, HERE)
    assert first == Outcome("ok", "", first.error)
    again = verify(PROBLEM, VARIANT, HERE)
    assert again == Outcome("ok", "checked before", first.error)
    other = verify(Problem(3, 4, (8, 9), 3, padding=1), VARIANT, HERE)
    assert other.detail == ""


def test_errors_carry_their_outcome():
    error = KernelError(Outcome("hung", "too long"))
    assert str(error) == "hung: too long"
    assert error.outcome.status == "hung"
