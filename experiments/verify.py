"""``gymworks verify``: replays a result file and finds whatever does not hold."""

import json
import math
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import typer
from rich.progress import track

from agents.actions import decode_action
from agents.engines.base import qualified
from agents.rollout import rollout
from experiments.evaluate import (
    FORMAT,
    Episode,
    Result,
    aggregate,
    digest,
    episode_seed,
    make,
    spec_json,
    summary,
)
from experiments.options import AsJson, Quiet, aside, print_json, printer
from hardware_sim.errors import InputError

NUMBER = (int, float)
FIELDS: dict[str, tuple[type, ...]] = {
    "format": (int,),
    "env_id": (str,),
    "env_spec": (str, type(None)),
    "env_kwargs": (dict,),
    "agent": (str,),
    "versions": (dict,),
    "git": (str, type(None)),
    "date": (str,),
    "episodes": (list,),
    "aggregate": (dict,),
    "digest": (str,),
}
EPISODE_FIELDS: dict[str, tuple[type, ...]] = {
    "seed": (int,),
    "episode": (int,),
    "return": NUMBER,
    "score": (*NUMBER, type(None)),
    "is_success": (bool, type(None)),
    "length": (int,),
    "actions": (list,),
}
TASK = ("id", "kwargs", "max_episode_steps")  # of a spec: what makes it another task
REPLAYED = ("return", "score", "length", "is_success")


def read_result(path: str | Path) -> Result:
    """Reads a result file and checks its form, not its truth.

    Raises:
        InputError: There is no such file, it is no JSON, or its fields are not those of
            :func:`experiments.evaluate.evaluate`.
    """
    try:
        result = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path} is not readable JSON: {error}") from None
    _check(path, "the result", result, FIELDS)
    if result["format"] != FORMAT:
        raise InputError(f"{path} has format {result['format']}; allowed: {FORMAT}")
    if not result["episodes"]:
        raise InputError(f"{path} holds no episodes")
    for number, episode in enumerate(result["episodes"]):
        _check(path, f"episode {number}", episode, EPISODE_FIELDS)
        if episode["seed"] < 0 or episode["episode"] < 0:
            raise InputError(f"{path}: seed or number of episode {number} is negative")
    found: Result = result
    return found


def read_unchanged(path: str | Path) -> Result:
    """Reads a result file whose digest is that of its content; replaying it may still differ.

    Raises:
        InputError: See :func:`read_result`; or the file was changed, or nothing here has its
            environment.
    """
    result = read_result(path)
    if digest(result) != result["digest"]:
        raise InputError(f"{path} was changed: its digest is not that of its content")
    try:
        qualified(result["env_id"])
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return result


def _check(path: str | Path, what: str, value: Any, fields: dict[str, tuple[type, ...]]) -> None:
    if not isinstance(value, dict):
        raise InputError(f"{path} is no result file: {what} is no JSON object")
    for name, allowed in fields.items():
        if name not in value:
            raise InputError(f"{path} is no result file: {what} has no {name!r}")
        # A Boolean is an int to Python, and no number to anybody who reads the file.
        wrong = isinstance(value[name], bool) and bool not in allowed
        if wrong or not isinstance(value[name], allowed):
            names = " or ".join(kind.__name__ for kind in allowed)
            raise InputError(f"{path} is no result file: {name!r} of {what} is not {names}")


def verify(path: str | Path, quiet: bool = True) -> list[str]:
    """Whatever in a result file does not hold: empty if every episode replays exactly.

    Args:
        path: A ``result.json``.
        quiet: Show no progress.

    Returns:
        A sentence for each difference: which episodes there are, the spec, each episode's return,
        score, length and success, the aggregate computed from them, and the digest.

    Raises:
        InputError: The file is malformed, its environment is unknown, or its environment, as the
            file has it made, measures (``deterministic`` is ``False``): that does not repeat.
    """
    result = read_result(path)
    env_id = qualified(result["env_id"])
    differences = _counted(result["episodes"])
    env = make(env_id, result["env_kwargs"])
    try:
        if not getattr(env.unwrapped, "deterministic", True):
            raise InputError(
                f"{path} cannot be replayed: {env_id} with {result['env_kwargs']} measures, and "
                "measurements do not repeat"
            )
        differences += _spec(result["env_spec"], spec_json(env))
        for episode in track(
            result["episodes"],
            "replaying",
            console=(console := aside(quiet)),
            disable=quiet or not console.is_terminal,
            transient=True,
        ):
            differences += replay(env, episode)
    finally:
        env.close()
    differences += _aggregate(result)
    if digest(result) != result["digest"]:
        differences.append("the digest is not that of the content: the file was changed")
    return differences


def _counted(episodes: list[Episode]) -> list[str]:
    """Every seed must have the same episodes 0, 1, ..., so that none was picked or left out."""
    numbers: dict[int, list[int]] = {}
    for episode in episodes:
        numbers.setdefault(episode["seed"], []).append(episode["episode"])
    expected = list(range(max(len(found) for found in numbers.values())))
    return [
        f"seed {seed} has episodes {found}, not {expected}"
        for seed, found in numbers.items()
        if found != expected
    ]


def _spec(stored: str | None, present: str | None) -> list[str]:
    if stored is None or present is None:
        return [] if stored == present else ["env_spec is not that of the environment"]
    try:
        before, now = json.loads(stored), json.loads(present)
        return [
            f"env_spec has {name} {before[name]!r}, the environment {now[name]!r}"
            for name in TASK
            if before[name] != now[name]
        ]
    except (ValueError, KeyError, TypeError):
        return ["env_spec is no spec of an environment"]


class Recorded:
    """The agent of a result file: acts out an episode's encoded actions, and no more.

    Args:
        actions: The actions, as :func:`agents.actions.encode_action` gives them.
        space: The environment's action space.
    """

    def __init__(self, actions: list[Any], space: gym.Space[Any]) -> None:
        self._actions, self._space = actions, space

    def reset(self, seed: int) -> None:
        """Begins with the first action, whatever the seed."""
        self._next = iter(self._actions)

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """The next action.

        Raises:
            InputError: It is no action of the space.
        """
        return decode_action(self._space, next(self._next))


def replay(env: gym.Env[Any, Any], episode: Episode) -> list[str]:
    """Differences of a replay of an episode's actions from the file."""
    seed, place, actions = episode["seed"], episode["episode"], episode["actions"]
    name = f"episode {place} of seed {seed}"
    moments = rollout(env, Recorded(actions, env.action_space), episode_seed(seed, place))
    moment, total = next(moments), 0.0
    for number in range(len(actions)):
        if moment.ended:
            return [f"{name} ends after {number} of its {len(actions)} actions"]
        try:
            moment = next(moments)
        except InputError as error:
            return [f"{name}, action {number}: {error}"]
        total += moment.reward
    if not moment.ended:
        return [f"{name} has not ended after its {len(actions)} actions"]
    replayed = summary(seed, place, actions, total, moment.info)
    return [
        f"{name} has {key} {episode[key]!r}, its replay {replayed[key]!r}"
        for key in REPLAYED
        if episode[key] != replayed[key]
    ]


def _aggregate(result: Result) -> list[str]:
    """Differences of the file's aggregate from the one computed of its episodes."""
    stored = result["aggregate"]
    computed = aggregate(result["env_id"], result["env_kwargs"], result["episodes"])
    return [
        f"aggregate has {key} {stored.get(key)!r}, its episodes give {computed.get(key)!r}"
        for key in sorted(stored.keys() | computed.keys())
        if not _same(stored.get(key), computed.get(key))
    ]


def _same(a: Any, b: Any) -> bool:
    """Equal; numbers up to rounding, for numpy sums in an order of its own on each machine."""
    if isinstance(a, float | int) and isinstance(b, float | int):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
    return bool(a == b)


def command(
    path: Annotated[Path, typer.Argument(metavar="RESULT", help="A result.json.")],
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Replay a result file; exit status 1 and the first difference if it does not hold."""
    differences = verify(path, quiet)
    episodes = len(read_result(path)["episodes"])
    if as_json:
        found = {"result": str(path), "holds": not differences, "episodes": episodes}
        print_json({**found, "differences": differences})
    elif differences:
        more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
        printer().print(f"{path} does not hold: {differences[0]}{more}", markup=False)
    else:
        printer(silent=quiet).print(f"verified: {episodes} episodes", markup=False)
    if differences:
        raise typer.Exit(1)
