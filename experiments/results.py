"""The content of a ``result.json``: its form, its digest, and the scores that follow from it."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from agents.engines.base import qualified_in_file
from envs.registration import ENTRIES, has_scale, normalised, references
from experiments import partial, statistics
from experiments.seeds import Seeds, named
from hardware_sim.errors import InputError
from hardware_sim.reading import read_json

FORMAT = 2
LEGACY = 1
"""The format before 2: it has no ``seeds``, and its digest covers three fields."""

ALIKE = "none: all alike"  # instead of an interval

Episode = dict[str, Any]
Result = dict[str, Any]

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
NEW_FIELDS: dict[str, tuple[type, ...]] = {
    "seeds": (dict,),
    "kind": (str,),
    "in_process": (bool,),
    "evaluations": (*NUMBER, type(None)),
}
"""Fields of :data:`FORMAT` that :data:`LEGACY` has not."""

NEW_EPISODE_FIELDS: dict[str, tuple[type, ...]] = {
    "problem": (str, type(None)),
    "bound": (*NUMBER, type(None)),
}
"""Fields of episodes that :data:`LEGACY` has not."""

EPISODE_FIELDS: dict[str, tuple[type, ...]] = {
    "seed": (int,),
    "episode": (int,),
    "return": NUMBER,
    "score": (*NUMBER, type(None)),
    "is_success": (bool, type(None)),
    "length": (int,),
    "actions": (list,),
}
BOUND_SLACK = 1e-9
"""Share of a bound by which rounding may carry a score beyond it."""

CLAIMS = ("agent", "kind", "in_process", "evaluations", "versions", "git", "date")
"""Fields that a replay cannot check."""


def digest(result: Result) -> str:
    """SHA-256 over the canonical JSON of everything but ``digest`` itself.

    In the legacy format it covers ``env_id``, ``env_kwargs`` and ``episodes`` alone.
    """
    covered = result.keys() - {"digest"}
    if result["format"] == LEGACY:
        covered = {"env_id", "env_kwargs", "episodes"}
    content = {key: result[key] for key in covered}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read_result(path: str | Path) -> Result:
    """Reads a result file and checks its form, not its truth.

    Raises:
        InputError: There is no such file, it is no JSON, or its fields are not those of
            :func:`experiments.evaluate.evaluate`.
    """
    if Path(path).name.endswith(partial.SUFFIX):
        raise InputError(f"{partial.described(Path(path))}, no result: --resume completes it")
    result = read_json(path)
    _check(path, "the result", result, FIELDS)
    if result["format"] not in (FORMAT, LEGACY):
        raise InputError(f"{path} has format {result['format']}; allowed: {LEGACY}, {FORMAT}")
    if result["format"] == FORMAT:
        _check(path, "the result", result, NEW_FIELDS)
        try:
            Seeds.from_json(result["seeds"])
        except InputError as error:
            raise InputError(f"{path} is no result file: {error}") from None
    if not result["episodes"]:
        raise InputError(f"{path} holds no episodes")
    check_episodes(path, result["episodes"], result["format"])
    found: Result = result
    return found


def check_episodes(path: str | Path, episodes: list[Any], form: int = FORMAT) -> None:
    """Checks the form of the episodes of a file.

    Raises:
        InputError: A field of an episode is missing or of another type, or a number is negative.
    """
    fields = EPISODE_FIELDS | (NEW_EPISODE_FIELDS if form == FORMAT else {})
    for number, episode in enumerate(episodes):
        _check(path, f"episode {number}", episode, fields)
        if episode["seed"] < 0 or episode["episode"] < 0:
            raise InputError(f"{path}: seed or number of episode {number} is negative")


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
        qualified_in_file(result["env_id"])
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


def standing(result: Result) -> tuple[str, bool]:
    """The episodes that a result has, in words, and whether others' results compare with it.

    Comparable are results of the id's own task on the test list of its domain.
    """
    if result["format"] == LEGACY:
        return "legacy format, not comparable", False
    asked = Seeds.from_json(result["seeds"])
    env_id, count = result["env_id"], len(asked.seeds)
    each = "" if asked.episodes == 1 else f", {asked.episodes} episodes each"
    if result["env_kwargs"]:
        return f"{count} seeds{each} of a task of its own, not comparable", False
    if result["in_process"]:
        return f"{count} seeds{each}, played in the environment's process, not comparable", False
    if asked.commitment is not None:
        return f"{count} seeds{each} drawn by a judge who keeps {asked.commitment[:12]}", False
    try:
        official = named(env_id, "test", asked.episodes)
    except InputError:
        return f"{count} custom seeds{each}, not comparable", False
    if asked == official:
        return f"{count} of {count} official test seeds{each}", True
    if asked.name is not None and asked == named(env_id, asked.name, asked.episodes):
        return f"{count} of {count} {asked.name} seeds{each}, not comparable", False
    return f"{count} custom seeds{each}, not comparable", False


def values(episodes: list[Episode]) -> list[float]:
    """Values by which episodes are judged: scores, or returns where there are no scores."""
    key = "return" if any(episode["score"] is None for episode in episodes) else "score"
    return [float(episode[key]) for episode in episodes]


def beyond_bound(env_id: str, episode: Episode) -> str | None:
    """A sentence if an episode's score lies beyond the bound of its problem, else ``None``.

    Args:
        env_id: The environment; higher scores are taken to be better where it has no references.
        episode: An episode of a result.
    """
    score, bound = episode["score"], episode.get("bound")
    if score is None or bound is None:
        return None
    table = references(env_id) if has_references(env_id) else {}
    sign = -1.0 if table.get("better") == "lower" else 1.0
    if sign * (score - bound) <= BOUND_SLACK * abs(bound):
        return None
    known = table.get("bound", {}).get("source")
    source = f'{known}, as info["bound"] has it' if known else 'its info["bound"]'
    return (
        f"{named_episode(episode)} of {env_id} scores {score:.9g}, beyond the bound {bound:.9g} of "
        f"{episode['problem']!r} ({source}): no play can reach that"
    )


def named_episode(episode: Episode) -> str:
    """An episode by its number and seed."""
    return f"episode {episode['episode']} of seed {episode['seed']}"


def aggregate(
    env_id: str,
    env_kwargs: dict[str, Any],
    episodes: list[Episode],
    options: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Interquartile mean with its 95 % interval, mean and success rate over all episodes.

    Returns:
        ``iqm``, ``low``, ``high`` (equal where all are alike), ``mean`` in ``unit``;
        ``success_rate``, ``None`` where the environment knows no success; and, where episodes can
        be normalised (see :func:`normalised_values`), their ``normalised_iqm`` (0 floor, 1
        reference) and the number that is ``left_out`` of it.

    Raises:
        InputError: A score is not finite.
    """
    judged = values(episodes)
    if not all(math.isfinite(value) for value in judged):
        raise InputError(f"an episode of {env_id} has no finite score: {judged}")
    scores = np.array(judged)[:, None]
    iqm, low, high = statistics.iqm_interval(scores)
    successes = [bool(episode["is_success"]) for episode in episodes]
    known = all(episode["is_success"] is not None for episode in episodes)
    summary: dict[str, Any] = {
        "iqm": iqm,
        "low": low,
        "high": high,
        "mean": float(scores.mean()),
        "success_rate": float(np.mean(successes)) if known else None,
        "unit": "return" if any(episode["score"] is None for episode in episodes) else "score",
    }
    if summary["unit"] == "score" and has_references(env_id):
        summary["unit"] = str(references(env_id)["unit"])
    kept = normalised_values(env_id, env_kwargs, episodes, options)
    if kept:
        summary["normalised_iqm"] = statistics.iqm(np.array(kept)[:, None])
        summary["left_out"] = len(episodes) - len(kept)
    return summary


def normalised_values(
    env_id: str,
    env_kwargs: dict[str, Any],
    episodes: list[Episode],
    options: dict[str, Any] | None = None,
) -> list[float]:
    """Normalised scores of the episodes whose problem has a scale, each by its own problem's.

    There are none where arguments or options other than the split change the task, nor in the
    legacy format, whose episodes do not name their problems.
    """
    plain = not env_kwargs and (options or {}).keys() <= {"split"}
    if not plain or not has_scale(env_id):
        return []
    found = [
        normalised(env_id, episode["score"], episode["problem"], episode.get("bound"))
        for episode in episodes
        if "problem" in episode and episode["score"] is not None
    ]
    return [value for value in found if value is not None]


def normalised_of(result: Result) -> list[float]:
    """The :func:`normalised_values` of a result."""
    head = result["env_id"], result["env_kwargs"]
    return normalised_values(*head, result["episodes"], options_of(result))


def options_of(result: Result) -> dict[str, Any]:
    """The options of the resets of a result's episodes."""
    return dict(result["seeds"]["options"]) if result["format"] == FORMAT else {}


def aggregate_of(result: Result) -> dict[str, Any]:
    """The aggregate that follows from a result's episodes."""
    episodes, options = result["episodes"], options_of(result)
    return aggregate(result["env_id"], result["env_kwargs"], episodes, options)


def has_references(env_id: str) -> bool:
    """True if an id has reference scores."""
    if env_id.removeprefix("envs:") not in ENTRIES:
        return False
    try:
        return {"random", "reference"} <= set(references(env_id))
    except InputError:
        return False
