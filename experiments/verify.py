"""``gymworks verify``: replays a result file and finds whatever does not hold."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import typer
from rich.progress import track
from rich.table import Table

from agents.actions import decode_action
from agents.engines.base import qualified_in_file
from agents.rollout import rollout
from experiments.evaluate import make, spec_json, summary
from experiments.options import AsJson, Quiet, Trust, aside, print_json, printer
from experiments.plausibility import improbable
from experiments.results import (
    CLAIMS,
    FORMAT,
    LEGACY,
    Episode,
    Result,
    aggregate_of,
    beyond_bound,
    digest,
    named_episode,
    options_of,
    read_result,
    standing,
    values,
)
from experiments.seeds import Seeds, drawn, episode_seed
from hardware_sim.errors import InputError
from hardware_sim.reading import parse_json

TASK = ("id", "kwargs", "max_episode_steps")  # of a spec: what makes it another task
REPLAYED = ("return", "score", "length", "is_success", "problem")
TOLERANCE = 0.25
"""Share by which a measured score may differ when it is measured again."""


@dataclass
class Verdict:
    """The findings of :func:`verify`.

    Attributes:
        differences: A sentence for each thing that does not hold; empty if all of it does.
        standing: The episodes that the result has, see :func:`experiments.results.standing`.
        comparable: The result compares with those of others.
        episodes: Number of episodes that were replayed.
        measured: The largest share by which a measured score differs from the one measured now;
            ``None`` where replaying is exact.
        claims: Fields that replaying cannot check.
        improbable: See :func:`experiments.plausibility.improbable`.
    """

    standing: str
    comparable: bool
    differences: list[str] = field(default_factory=list)
    episodes: int = 0
    measured: float | None = None
    claims: tuple[str, ...] = CLAIMS
    improbable: list[str] = field(default_factory=list)


def verify(
    path: str | Path,
    quiet: bool = True,
    secret: str | None = None,
    tolerance: float = TOLERANCE,
    compare: bool = False,
) -> Verdict:
    """Replays every episode of a result and compares all that follows from it.

    An environment that measures (``deterministic`` is ``False`` as the file has it made) is
    measured again: lengths must agree, scores within the tolerance.

    Args:
        path: A ``result.json``.
        quiet: Show no progress.
        secret: The secret from which the seeds were drawn.
        tolerance: Share by which measured scores may differ.
        compare: Where somebody chose the seeds, play runs of the agent that the result names, to
            find what is improbable.

    Raises:
        InputError: The file is malformed, its environment is unknown or cannot be made, or the
            secret is not the one that the result names.
    """
    result = read_result(path)
    words, comparable = standing(result)
    verdict = Verdict(words, comparable, _counted(result))
    if secret is not None:
        verdict.standing, verdict.comparable = _drawn(path, result, secret)
    env_id = qualified_in_file(result["env_id"])
    env = make(env_id, result["env_kwargs"])
    measures = not getattr(env.unwrapped, "deterministic", True)
    try:
        verdict.differences += _spec(result["env_spec"], spec_json(env))
        for episode, now in replays(env, result, quiet):
            verdict.episodes += 1
            beyond = beyond_bound(env_id, episode)
            verdict.differences += [beyond] if beyond else []
            if isinstance(now, str):
                verdict.differences.append(now)
            elif measures:
                verdict.differences += _measured(verdict, episode, now, tolerance)
            else:
                verdict.differences += _different(episode, now)
    finally:
        env.close()
    verdict.differences += _aggregate(result)
    if digest(result) != result["digest"]:
        verdict.differences.append("the digest is not that of the content: the file was changed")
    verdict.comparable &= not verdict.differences
    if compare and not verdict.differences and not verdict.comparable:
        verdict.improbable = improbable(result)
    return verdict


def replays(
    env: gym.Env[Any, Any], result: Result, quiet: bool = True
) -> Iterator[tuple[Episode, Episode | str]]:
    """Each episode of a result with that which its actions give now, or why they give none.

    Args:
        env: The environment, as the result has it made.
        result: The content of a result file.
        quiet: Show no progress.
    """
    console = aside(quiet)
    hidden = quiet or not console.is_terminal
    options = options_of(result)
    for episode in track(
        result["episodes"], "replaying", console=console, disable=hidden, transient=True
    ):
        yield episode, replay(env, episode, options)


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


def replay(
    env: gym.Env[Any, Any], episode: Episode, options: dict[str, Any] | None = None
) -> Episode | str:
    """The episode that the actions of another give now, or a sentence if they give none."""
    seed, place, actions = episode["seed"], episode["episode"], episode["actions"]
    name = named_episode(episode)
    agent = Recorded(actions, env.action_space)
    moments = rollout(env, agent, episode_seed(seed, place), options=options or None)
    try:
        moment, total = next(moments), 0.0
    except InputError as error:
        return f"{name} cannot begin: {error}"
    for number in range(len(actions)):
        if moment.ended:
            return f"{name} ends after {number} of its {len(actions)} actions"
        try:
            moment = next(moments)
        except InputError as error:
            return f"{name}, action {number}: {error}"
        total += moment.reward
    if not moment.ended:
        return f"{name} has not ended after its {len(actions)} actions"
    return summary(seed, place, actions, total, moment.info)


def differences_of(
    env: gym.Env[Any, Any], episode: Episode, options: dict[str, Any] | None = None
) -> list[str]:
    """Differences of an episode of a result from its exact replay, a sentence each."""
    now = replay(env, episode, options)
    return [now] if isinstance(now, str) else _different(episode, now)


def _different(episode: Episode, now: Episode) -> list[str]:
    """Differences from an exact replay; the legacy format has neither problems nor bounds."""
    found = [key for key in REPLAYED if key in episode and episode[key] != now[key]]
    if "bound" in episode and not _same(episode["bound"], now["bound"]):
        found.append("bound")
    return [
        f"{named_episode(episode)} has {key} {episode[key]!r}, its replay {now[key]!r}"
        for key in found
    ]


def _measured(verdict: Verdict, episode: Episode, now: Episode, tolerance: float) -> list[str]:
    """Differences beyond the tolerance; the verdict keeps the largest."""
    before, after = values([episode])[0], values([now])[0]
    share = abs(after - before) / max(abs(before), abs(after), 1e-12)
    verdict.measured = max(verdict.measured or 0.0, share)
    if share <= tolerance and episode["length"] == now["length"]:
        return []
    return [
        f"{named_episode(episode)} was measured as {before:.6g}, now as {after:.6g}: more than "
        f"{tolerance:.0%} apart on this machine"
    ]


def _counted(result: Result) -> list[str]:
    """Every seed must have all its episodes, so that none was picked or left out."""
    played = [(episode["seed"], episode["episode"]) for episode in result["episodes"]]
    if result["format"] == FORMAT:
        asked = Seeds.from_json(result["seeds"])
        if played == list(asked):
            return []
        missing = [each for each in asked if each not in played]
        what = "not those it was asked for" if not missing else f"without {missing}"
        return [f"its {len(played)} episodes, {what}, are not the {len(asked)} of its seeds"]
    numbers: dict[int, list[int]] = {}
    for seed, number in played:
        numbers.setdefault(seed, []).append(number)
    expected = list(range(max(len(found) for found in numbers.values())))
    return [
        f"seed {seed} has episodes {found}, not {expected}"
        for seed, found in numbers.items()
        if found != expected
    ]


def _drawn(path: str | Path, result: Result, secret: str) -> tuple[str, bool]:
    """The standing of a result whose seeds a secret gives.

    Raises:
        InputError: They are not drawn from it.
    """
    asked = Seeds.from_json(result["seeds"]) if result["format"] == FORMAT else None
    if asked is None or asked.commitment is None:
        raise InputError(f"{path}: its seeds are not drawn from a secret")
    expected = drawn(result["env_id"], secret, len(asked.seeds), asked.episodes)
    if asked.commitment != expected.commitment:
        raise InputError(f"{path}: the secret is not the one that {asked.commitment} commits to")
    if asked != expected:
        raise InputError(f"{path}: its seeds and options are not those that the secret gives")
    count = len(asked.seeds)
    return f"{count} of {count} seeds drawn from the judge's secret", not (
        result["env_kwargs"] or result["in_process"]
    )


def _spec(stored: str | None, present: str | None) -> list[str]:
    if stored is None or present is None:
        return [] if stored == present else ["env_spec is not that of the environment"]
    try:
        before, now = parse_json(stored), parse_json(present)
        return [
            f"env_spec has {name} {before[name]!r}, the environment {now[name]!r}"
            for name in TASK
            if before[name] != now[name]
        ]
    except (ValueError, KeyError, TypeError):
        return ["env_spec is no spec of an environment"]


def _aggregate(result: Result) -> list[str]:
    """Differences of the file's aggregate from the one computed of its episodes."""
    stored, computed = result["aggregate"], aggregate_of(result)
    if result["format"] == LEGACY:  # which was normalised on another scale
        stored = {key: value for key, value in stored.items() if key != "normalised_iqm"}
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


def rejudge(path: str | Path, quiet: bool = True) -> Table:
    """The scores of a result's actions under today's environment, beside those of the file.

    Raises:
        InputError: The file is malformed, or its environment is unknown or cannot be made.
    """
    result = read_result(path)
    env = make(qualified_in_file(result["env_id"]), result["env_kwargs"])
    table = Table(title=f"{result['agent']} on {result['env_id']}, judged again")
    for heading in ("episode", "then", "now"):
        table.add_column(heading, justify="left" if heading == "episode" else "right")
    now: list[Episode] = []
    try:
        for episode, replayed in replays(env, result, quiet):
            found = [] if isinstance(replayed, str) else [replayed]
            now += found
            shown = f"{values(found)[0]:.6g}" if found else str(replayed)
            table.add_row(named_episode(episode), f"{values([episode])[0]:.6g}", shown)
    finally:
        env.close()
    before = result["aggregate"].get("iqm", math.nan)
    if len(now) == len(result["episodes"]):
        after = f"{aggregate_of({**result, 'episodes': now})['iqm']:.6g}"
    else:
        after = f"{len(result['episodes']) - len(now)} cannot be replayed"
    table.add_section()
    table.add_row("IQM", f"{before:.6g}", after)
    return table


def command(
    path: Annotated[Path, typer.Argument(metavar="RESULT", help="A result.json.")],
    draw: Annotated[
        str | None,
        typer.Option(metavar="SECRET", help="The secret from which the seeds were drawn."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0.0, help="Share by which measured scores may differ.")
    ] = TOLERANCE,
    again: Annotated[
        bool, typer.Option("--rejudge", help="Show the scores of today's environment beside.")
    ] = False,
    trust: Trust = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Replay a result file; exit status 1 and the first difference if it does not hold."""
    if again:
        printer(silent=quiet).print(rejudge(path, quiet))
        return
    verdict = verify(path, quiet, draw, tolerance, compare=True)
    found = verdict.differences
    if as_json:
        print_json(
            {
                "result": str(path),
                "holds": not found,
                "episodes": verdict.episodes,
                "seeds": verdict.standing,
                "comparable": verdict.comparable,
                "measured": verdict.measured,
                "claims": list(verdict.claims),
                "differences": found,
                "improbable": verdict.improbable,
            }
        )
    elif found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        printer().print(f"{path} does not hold: {found[0]}{more}", markup=False)
    else:
        printer(silent=quiet).print(_approval(verdict), markup=False)
    if found:
        raise typer.Exit(1)


def _approval(verdict: Verdict) -> str:
    """The lines for a result that holds."""
    how = "replayed exactly"
    if verdict.measured is not None:
        how = f"measured again, within {verdict.measured:.0%}"
    claims = ", ".join(verdict.claims)
    warnings = "".join(f"\nwarning: {sentence}" for sentence in verdict.improbable)
    return (
        f"verified: {verdict.episodes} episodes {how}; {verdict.standing}\n"
        f"not checked, as a replay cannot: {claims}{warnings}"
    )
