"""Files of a stranger: whatever they name, nothing of it runs, and one line says why."""

import inspect
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from agents.engines.sb3 import read
from agents.runs import UnreadableCheckpointError
from envs.arguments import check_arguments, offered
from envs.registration import ENTRIES
from experiments.cli import app
from experiments.results import aggregate_of, digest
from hardware_sim.errors import InputError
from hardware_sim.naming import TRUST, resolve

OLD_RUN = Path(__file__).with_name("old_run")
TUNING = "envs:ConvTuning-ResNet2-v0"

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file that appears once foreign code runs: ``evil.py`` beside the files, or a command."""
    path = tmp_path / "marker"
    code = f"open({str(path)!r}, 'w').close()\n\ndef run(*_, **__): ...\n"
    (tmp_path / "evil.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield path
    sys.modules.pop("evil", None)


class Bomb:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> Any:
        return open, (self.path, "w")


def refused(words: list[str], marker: Path) -> str:
    """The one line with which a command ends; nothing has run."""
    done = CliRunner().invoke(app, words)
    assert not marker.exists()
    assert isinstance(done.exception, InputError), done.output + repr(done.exception)
    assert "\n" not in str(done.exception)
    return str(done.exception)


def result_file(folder: Path, env_id: str, env_kwargs: dict[str, Any]) -> Path:
    """A result as a careful stranger forges it: form, aggregate and digest are in order."""
    result = json.loads((OLD_RUN / "result.json").read_text())
    result |= {"env_id": env_id, "env_kwargs": env_kwargs}
    result["aggregate"] = aggregate_of(result)
    result["digest"] = digest(result)
    path = folder / "result.json"
    path.write_text(json.dumps(result))
    return path


HOSTILE = [
    ("envs:WoB-Login-v0", {"task": "os:system:touch marker", "backend": "twin"}, "task"),
    ("envs:WoB-Login-v0", {"task": "evil:run", "backend": "twin"}, "task"),
    (TUNING, {"backend": "model", "model": "evil:run"}, "model"),
    (TUNING, {"backend": "model", "model": "os:system"}, "model"),
    (TUNING, {"entry_point": "evil:run"}, "unknown argument"),
    (TUNING, {"budget": "evil:run"}, "budget"),
    ("envs:StepSelection-v1", {"critic": "evil:run"}, "critic"),
    ("CartPole-v1", {"sutton_barto_reward": "evil:run"}, "may name a module"),
    ("CartPole-v1", {"sutton_barto_reward": {"a": 1}}, "numbers, texts"),
    ("evil:Name-v0", {}, "would import evil"),
    ("evil:run", {}, "would import evil"),
    ("os:system", {"command": "touch marker"}, "would import os"),
]


@pytest.mark.parametrize("verb", ["verify", "report"])
@pytest.mark.parametrize(("env_id", "env_kwargs", "why"), HOSTILE)
def test_a_result_names_no_code(
    verb: str, env_id: str, env_kwargs: dict[str, Any], why: str, marker: Path
) -> None:
    path = result_file(marker.parent, env_id, env_kwargs)
    assert why in refused([verb, str(path)], marker)


@pytest.mark.parametrize(("env_id", "env_kwargs", "why"), HOSTILE)
def test_a_run_folder_names_no_code_of_its_environment(
    env_id: str, env_kwargs: dict[str, Any], why: str, marker: Path
) -> None:
    run = shutil.copytree(OLD_RUN, marker.parent / "run")
    (run / "result.json").unlink()
    config = json.loads((run / "config.json").read_text())
    config |= {"env_id": env_id, "env_kwargs": env_kwargs}
    (run / "config.json").write_text(json.dumps(config))
    episode = {"seed": 0, "actions": [[0, 0, 0]], "score": 1.0, "return": 1.0}
    (run / "best.json").write_text(json.dumps(episode | {"env_id": env_id}))
    done = CliRunner().invoke(app, ["report", str(run), "-o", "report.html"])
    assert not marker.exists()
    if env_id not in ("evil:run", "os:system"):  # a team is not drawn, so that nothing is made
        assert isinstance(done.exception, InputError)
        assert why in str(done.exception)
    if env_id.startswith("envs:"):
        words = ["train", env_id, "--resume", "--run-dir", str(run)]
        assert why in refused(words, marker)


def checkpoint(run: Path, change: Change) -> Path:
    """A run whose checkpoint a stranger has changed."""
    path = next((run / "checkpoints").glob("*.pt"))
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)
    return path


def popen(network: dict[str, Any]) -> None:
    network |= {
        "extractor": "subprocess:Popen",
        "policy_kwargs": {"features_extractor_kwargs": {"args": "touch marker", "shell": True}},
    }


def kwargs(**given: Any) -> Change:
    return lambda network: network.update(policy_kwargs=given)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (popen, "extractor 'subprocess:Popen' is none of ours"),
        (lambda network: network.update(network="evil:run"), "network 'evil:run' is none of ours"),
        (kwargs(features_extractor_kwargs={"extractor": "evil:run"}), "extractor 'evil:run'"),
        (kwargs(features_extractor_class="evil:run"), "unknown argument of policy_kwargs"),
        (kwargs(activation_fn="Module"), "unknown activation_fn 'Module'"),
        (kwargs(optimizer_class="evil:run"), "unknown optimizer_class"),
        (kwargs(net_arch=[10**9]), "net_arch is"),
        (kwargs(net_arch={"pi": "evil"}), "pi of net_arch"),
        (lambda network: network.pop("extractor"), "networks are described by"),
    ],
)
def test_a_checkpoint_names_no_code(change: Change, why: str, marker: Path) -> None:
    run = shutil.copytree(OLD_RUN, marker.parent / "run")
    checkpoint(run, lambda content: change(content["network"]))
    words = [TUNING, "--agent", str(run), "--seeds", "0", "-o", "new.json"]
    assert why in refused(["evaluate", *words], marker)


@pytest.mark.parametrize("place", ["step", "parameters", "variables"])
def test_a_checkpoint_that_is_a_pickle_is_not_opened(place: str, marker: Path) -> None:
    run = shutil.copytree(OLD_RUN, marker.parent / "run")
    checkpoint(run, lambda content: content.update({place: Bomb(marker)}))
    words = [TUNING, "--agent", str(run), "--seeds", "0", "-o", "new.json"]
    assert "no checkpoint" in refused(["evaluate", *words], marker)


def test_a_checkpoint_of_another_form_is_none(marker: Path) -> None:
    run = shutil.copytree(OLD_RUN, marker.parent / "run")
    path = checkpoint(run, lambda content: content.update(variables={"policy": "no tensor"}))
    with pytest.raises(UnreadableCheckpointError, match="not a checkpoint"):
        read(path)


@pytest.mark.parametrize(
    ("hyperparameters", "why"),
    [
        ({"policy_kwargs": {"features_extractor_kwargs": {"extractor": "evil:run"}}}, "extractor"),
        ({"policy_kwargs": {"optimizer_class": "evil:run"}}, "optimizer_class"),
        ({"rollout_buffer_class": "evil:run"}, "rollout_buffer_class"),
    ],
)
def test_settings_of_a_run_name_no_code(
    hyperparameters: dict[str, Any], why: str, marker: Path
) -> None:
    run = shutil.copytree(OLD_RUN, marker.parent / "run")
    config = json.loads((run / "config.json").read_text())
    config |= {"hyperparameters": hyperparameters, "steps": 10_000, "env_kwargs": {}}
    (run / "config.json").write_text(json.dumps(config))
    words = ["train", config["env_id"], "--resume", "--run-dir", str(run), "--quiet"]
    assert why in refused(words, marker)


def test_a_run_names_no_cluster(marker: Path) -> None:
    run = shutil.copytree(OLD_RUN, marker.parent / "run")
    config = json.loads((run / "config.json").read_text()) | {"address": "203.0.113.1:6379"}
    (run / "config.json").write_text(json.dumps(config))
    words = ["train", config["env_id"], "--resume", "--run-dir", str(run), "--quiet"]
    assert "--address 203.0.113.1:6379" in refused(words, marker)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"env_kwargs": ["task"]}, "env_kwargs is ['task']; allowed: dict"),
        ({"env_kwargs": None}, "env_kwargs is None; allowed: dict"),
        ({"hyperparameters": "evil:run"}, "hyperparameters is 'evil:run'; allowed: dict"),
        ({"steps": "10"}, "steps is '10'; allowed: int"),
        ({"env_id": 7}, "env_id is 7; allowed: str"),
        ({"engine": "evil"}, "unknown engine 'evil'"),
    ],
)
def test_a_configuration_of_another_form_is_one_clear_error(
    change: dict[str, Any], why: str, marker: Path
) -> None:
    run = shutil.copytree(OLD_RUN, marker.parent / "run")
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | change))
    words = ["train", config["env_id"], "--resume", "--run-dir", str(run), "--quiet"]
    assert why in refused(words, marker)


def test_trust_imports_and_says_so(marker: Path) -> None:
    path = result_file(marker.parent, "evil:Name-v0", {})
    done = CliRunner().invoke(app, ["verify", "--trust", str(path)])
    assert marker.exists()
    assert "unknown environment 'evil:Name-v0'" in str(done.exception)
    said = [line for line in done.stderr.splitlines() if "trusted" in line]
    assert said == ["gymworks: trusted, imports environment 'evil:Name-v0'"]
    with pytest.raises(InputError, match="--trust imports what a file names"):  # again without
        check_arguments("ConvTuning-v0", {"model": "evil:run"})


def test_a_colleagues_extractor_acts_where_it_is_trusted(
    marker: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = "from agents.convolution.extractor import TuningExtractor as Net\n"
    (marker.parent / "mine.py").write_text(code)
    run = shutil.copytree(OLD_RUN, marker.parent / "run")
    checkpoint(run, lambda content: content["network"].update(extractor="mine:Net"))
    words = ["evaluate", TUNING, "--agent", str(run), "--seeds", "1000", "-o", "new.json"]
    assert "extractor 'mine:Net' is none of ours" in refused(words, marker)
    done = CliRunner().invoke(app, [*words, "--trust"])
    assert done.exit_code == 0, done.output
    said = capfd.readouterr().err  # by the agent's own process
    assert "gymworks: trusted, imports extractor 'mine:Net'" in said.splitlines()
    before = json.loads((OLD_RUN / "result.json").read_text())["episodes"][0]
    after = json.loads(Path("new.json").read_text())["episodes"][0]
    assert after["actions"] == before["actions"]


def test_names_of_ours_stay_valid() -> None:
    check_arguments("WoB-Login-v0", {"task": "envs.web.sites.task:FlightTask:united"})
    check_arguments("envs:ConvTuning-v0", {"model": "agents.convolution.cost_model:predict"})
    check_arguments("envs:StepSelection-v1", {"critic": None, "density": 1})
    for argument in ("task", "model", "critic"):
        for name in offered(argument):
            assert resolve(":".join(name.split(":")[:2])) is not None


@pytest.mark.parametrize("env_id", sorted(ENTRIES))
def test_an_entry_declares_what_its_constructor_takes(env_id: str) -> None:
    entry = ENTRIES[env_id]
    taken = set(inspect.signature(resolve(entry.entry_point)).parameters) - {"render_mode"}
    assert set(entry.arguments) == taken
    check_arguments(env_id, entry.kwargs)


@pytest.mark.parametrize(
    ("kwargs", "why"),
    [
        ({"layers": "VGG1.2"}, "a list"),
        ({"layers": [1]}, "a text"),
        ({"budget": True}, "a whole number"),
        ({"budget": 2.5}, "a whole number"),
        ({"budget": 0}, "1 to 10000"),
        ({"penalty": float("nan")}, "finite"),
        ({"split": "all of them"}, "train, test, volumes, all"),
        ({"model": 3}, "a text"),
    ],
)
def test_a_value_of_another_kind_is_refused(kwargs: dict[str, Any], why: str) -> None:
    assert TRUST not in os.environ
    with pytest.raises(InputError, match=why):
        check_arguments("ConvTuning-v0", kwargs)
