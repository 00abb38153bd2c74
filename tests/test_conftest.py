"""A run counts what it leaves out, reads what the repository has, and ends with a lost worker."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULE = """
import os
from pathlib import Path
import pytest
from envs.dance.corpus import corpus

def test_carried():
    with pytest.raises(Exception, match="gymworks dance data"):
        corpus("itg")

@pytest.mark.data
def test_measures(dance_data):
    assert dance_data == Path(os.environ["EXPECTED"])

@pytest.mark.data
def test_measures_too():
    pass

@pytest.mark.peers
def test_compares():
    pass
"""
SETTINGS = "[pytest]\nmarkers =\n    data: x\n    peers: x\n"
WORKERS = ("-n", "2", "--dist", "loadfile", "--max-worker-restart", "0")


@pytest.fixture
def run(tmp_path):
    """Runs pytest with our hooks and fixtures on a module in a folder of its own."""

    def run(*arguments, module=MODULE, data=""):
        (tmp_path / "test_module.py").write_text(module)
        (tmp_path / "pytest.ini").write_text(SETTINGS)
        command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", *arguments]
        places = {"GYMWORKS_DANCE_DATA": str(data), "EXPECTED": str(data)}
        environment = os.environ | places | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
        )

    return run


@pytest.mark.parametrize("workers", [(), WORKERS], ids=["alone", "workers"])
def test_a_run_ends_with_what_it_left_out_and_how_to_get_the_data(run, workers):
    done = run(*workers, "-m", "not data and not peers")
    assert done.returncode == pytest.ExitCode.OK, done.stdout
    (line,) = (line for line in done.stdout.splitlines() if "left out" in line)
    assert line.startswith("Tests left out: 2 that measure on data (`gymworks dance data` gets it")
    assert "GYMWORKS_DANCE_DATA" in line
    assert "1 that need peers" in line
    assert "1 passed" in done.stdout.splitlines()[-1]


def test_nothing_is_left_out_silently(run, tmp_path):
    (tmp_path / "data" / "charts").mkdir(parents=True)
    done = run(data=tmp_path / "data")
    assert done.returncode == pytest.ExitCode.OK, done.stdout
    assert "4 passed" in done.stdout
    assert "left out" not in done.stdout


def test_data_that_is_not_there_fails_with_how_to_get_it(run, tmp_path):
    message = "no dance data: run `gymworks dance data`, or set GYMWORKS_DANCE_DATA"
    all_of_them = run("-m", "data", data=tmp_path / "nowhere")
    assert all_of_them.returncode == pytest.ExitCode.USAGE_ERROR
    assert message in all_of_them.stderr
    one_of_them = run("-k", "measures", data=tmp_path / "nowhere")
    assert one_of_them.returncode == pytest.ExitCode.TESTS_FAILED
    assert message in one_of_them.stdout


def test_who_reads_data_must_be_marked(run, tmp_path):
    (tmp_path / "data" / "charts").mkdir(parents=True)
    done = run(module="def test_reads(dance_data): pass", data=tmp_path / "data")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "mark it `data`" in done.stdout


def test_a_lost_worker_ends_the_run(run):
    crash = "import os, time\ndef test_crash(): os.kill(os.getpid(), 9)\n"
    waits = "def test_long(): time.sleep(100)\n"
    done = run("-n", "2", "--max-worker-restart", "0", module=crash + waits)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "a worker was lost in test_module.py::test_crash" in done.stdout
