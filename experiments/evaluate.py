"""``gymworks evaluate``: plays an agent on fixed seeds and keeps what is needed to replay it."""

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer
from rich.table import Table

from agents.actions import decode_action, encode_action
from agents.agent import Agent
from agents.engines.base import qualified, settings
from agents.engines.teams import is_team
from agents.process import acting
from agents.rollout import Moment, rollout
from agents.runs import Run, provenance
from envs.registration import ENTRIES, normalised, references
from experiments import statistics
from experiments.options import AsJson, Quiet, bar, print_json, printer
from hardware_sim.errors import InputError
from hardware_sim.files import write_json

FORMAT = 1

Episode = dict[str, Any]
Result = dict[str, Any]


def episode_seed(seed: int, episode: int) -> int:
    """The seed that the environment's ``reset`` gets in an episode of a seed.

    Episode 0 gets the seed itself; later ones get a hash of both, from 2**31 up, where no training
    episode and no listed seed lies (:data:`agents.engines.base.FIRST_EPISODE_SEED`).

    Returns:
        A seed below 2**32.
    """
    if episode == 0:
        return seed
    return 2**31 + int(np.random.SeedSequence([seed, episode]).generate_state(1)[0]) % 2**31


def agent_seed(seed: int, episode: int) -> int:
    """The seed that the agent's ``reset`` gets in an episode of a seed.

    It differs from the environment's, for two generators with one seed draw the same numbers, and
    a random agent's choices would go with the environment's.
    """
    return int(np.random.SeedSequence([seed, episode, 1]).generate_state(1)[0])


def make(env_id: str, env_kwargs: dict[str, Any], **more: Any) -> gym.Env[Any, Any]:
    """The environment of an id that :func:`agents.engines.base.qualified` has returned.

    Raises:
        InputError: The id is a team of agents, or the environment does not take the arguments.
    """
    if is_team(env_id):
        raise InputError(f"{env_id} is a team of agents; allowed: environments of one agent")
    try:
        return gym.make(env_id, **env_kwargs, **more)
    except (TypeError, gym.error.Error) as error:
        raise InputError(f"{env_id} cannot be made: {error}") from error


class Noted:
    """An agent whose actions are noted in JSON, and acted out as they read back from it.

    So playing and replaying give the environment the very same input.

    Args:
        agent: The agent.
        space: The environment's action space.
    """

    def __init__(self, agent: Agent, space: gym.Space[Any]) -> None:
        self._agent, self._space = agent, space
        self.actions: list[Any] = []

    def reset(self, seed: int) -> None:
        """Starts an episode, with nothing noted."""
        self.actions = []
        self._agent.reset(seed)

    def act(self, observation: Any, info: dict[str, Any]) -> Any:
        """The agent's action.

        Raises:
            InputError: The agent chose an action that is not in the action space.
        """
        encoded = encode_action(self._space, self._agent.act(observation, info))
        self.actions.append(encoded)
        return decode_action(self._space, encoded)


def play(
    env: gym.Env[Any, Any],
    agent: Agent,
    seed: int,
    episode: int,
    on_step: Callable[[Moment], None] | None = None,
) -> Episode:
    """Plays one episode to its end.

    Args:
        env: The environment.
        agent: The agent that acts in it.
        seed: The seed.
        episode: The episode's number among those of the seed.
        on_step: Called after the reset and after every step.

    Raises:
        InputError: The agent chose an action that is not in the action space.
    """
    player, total = Noted(agent, env.action_space), 0.0
    first, own = episode_seed(seed, episode), agent_seed(seed, episode)
    for moment in rollout(env, player, first, agent_seed=own):
        total += moment.reward
        if on_step is not None:
            on_step(moment)
    return summary(seed, episode, player.actions, total, moment.info)


def summary(
    seed: int, episode: int, actions: list[Any], total: float, info: dict[str, Any]
) -> Episode:
    """An episode as ``result.json`` has it.

    Args:
        seed: The seed whose episode it is.
        episode: Its number among those of the seed.
        actions: Its actions, encoded.
        total: The sum of its rewards.
        info: Its last info.
    """
    score, success = info.get("score"), info.get("is_success")
    return {
        "seed": seed,
        "episode": episode,
        "return": total,
        "score": None if score is None else float(score),
        "is_success": None if success is None else bool(success),
        "length": len(actions),
        "actions": actions,
    }


def evaluate(
    env_id: str,
    agent_name: str,
    seeds: list[int],
    episodes: int = 1,
    env_kwargs: dict[str, Any] | None = None,
    on_episode: Callable[[Episode], None] | None = None,
    in_process: bool = False,
) -> Result:
    """Plays an agent and scores it.

    Args:
        env_id: Any id that Gymnasium knows, ours with or without ``envs:``.
        agent_name: See :func:`agents.loading.load_agent`.
        seeds: Non-negative and different from each other.
        episodes: Episodes of each seed, see :func:`episode_seed`.
        env_kwargs: JSON-serialisable arguments of the environment, over those of its spec.
        on_episode: Called with each episode.
        in_process: The agent runs in this process, where it could reach the environment, instead
            of one of its own (:class:`agents.process.AgentProcess`).

    Returns:
        The content of a ``result.json``: ``format``, ``env_id``, ``env_spec`` (JSON text, ``None``
        if the spec has none), ``env_kwargs``, ``agent``, ``kind`` (:mod:`agents.kinds`),
        ``in_process``, ``evaluations`` (that a planner counted, a mean over the episodes; None
        for the other kinds), ``versions``, ``git``, ``date``,
        ``episodes``, ``aggregate`` (:func:`aggregate`) and ``digest`` (:func:`digest`).

    Raises:
        InputError: Id, agent, seeds or episodes are not as above, or an action is illegal.
    """
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise InputError(f"seeds are {seeds}; allowed: different integers from 0 up, at least one")
    if episodes < 1:
        raise InputError(f"episodes is {episodes}; allowed: at least 1")
    env_id, env_kwargs = qualified(env_id), env_kwargs or {}
    env = make(env_id, env_kwargs)
    try:
        played, spent = [], []
        with acting(agent_name, env, in_process) as agent:
            kind = getattr(agent, "kind", "agent")
            for seed in seeds:
                for number in range(episodes):
                    played.append(play(env, agent, seed, number))
                    spent.append(getattr(agent, "spent", 0))
                    if on_episode is not None:
                        on_episode(played[-1])
        spec = spec_json(env)
    finally:
        env.close()
    result = {
        "format": FORMAT,
        "env_id": env_id,
        "env_spec": spec,
        "env_kwargs": env_kwargs,
        "agent": agent_name,
        "kind": kind,
        "in_process": in_process,
        "evaluations": float(np.mean(spent)) if kind == "planner" else None,
        **provenance(),
        "episodes": played,
        "aggregate": aggregate(env_id, env_kwargs, played),
    }
    return result | {"digest": digest(result)}


def spec_json(env: gym.Env[Any, Any]) -> str | None:
    """The environment's spec as JSON text; ``None`` where it holds values that JSON cannot."""
    try:
        return env.spec.to_json() if env.spec else None
    except ValueError:
        return None


def values(episodes: list[Episode]) -> list[float]:
    """Values by which episodes are judged: scores, or returns where there are no scores."""
    key = "return" if any(episode["score"] is None for episode in episodes) else "score"
    return [float(episode[key]) for episode in episodes]


def aggregate(env_id: str, env_kwargs: dict[str, Any], episodes: list[Episode]) -> dict[str, Any]:
    """Interquartile mean with its 95 % interval, mean and success rate over all episodes.

    Returns:
        ``iqm``, ``low``, ``high``, ``mean`` in ``unit``; ``success_rate``, ``None`` where the
        environment knows no success; and ``normalised_iqm`` (0 random, 1 reference) for ids with
        reference scores and no arguments that change the task.

    Raises:
        InputError: A score is not finite.
    """
    judged = values(episodes)
    if not all(math.isfinite(value) for value in judged):
        raise InputError(f"an episode of {env_id} has no finite score: {judged}")
    scores = np.array(judged)[:, None]
    low, high = statistics.stratified_bootstrap(scores, statistics.iqm)
    successes = [bool(episode["is_success"]) for episode in episodes]
    known = all(episode["is_success"] is not None for episode in episodes)
    summary: dict[str, Any] = {
        "iqm": statistics.iqm(scores),
        "low": low,
        "high": high,
        "mean": float(scores.mean()),
        "success_rate": float(np.mean(successes)) if known else None,
        "unit": "return" if any(episode["score"] is None for episode in episodes) else "score",
    }
    if summary["unit"] == "score" and has_references(env_id):
        summary["unit"] = str(references(env_id)["unit"])
        if not env_kwargs:
            # Affine, so that it is the interquartile mean of the normalised scores as well.
            summary["normalised_iqm"] = normalised(env_id, summary["iqm"])
    return summary


def has_references(env_id: str) -> bool:
    """True if the normalised score of an id is defined."""
    if env_id.removeprefix("envs:") not in ENTRIES:
        return False
    try:
        return {"random", "reference"} <= set(references(env_id))
    except InputError:
        return False


def digest(result: Result) -> str:
    """SHA-256 over the canonical JSON of ``env_id``, ``env_kwargs`` and ``episodes``."""
    content = {key: result[key] for key in ("env_id", "env_kwargs", "episodes")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def parse_seeds(env_id: str, text: str) -> list[int]:
    """``"test"``, ``"validation"``, ``"train"`` (lists fixed by the id's domain) or ``"0,1,2"``.

    Raises:
        InputError: It is none of them.
    """
    splits: dict[str, list[int]] = settings(env_id)["seeds"]
    if text in splits:
        return splits[text]
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(
            f"seeds are {text!r}; allowed: {', '.join(splits)}, or integers such as 0,1,2"
        ) from None


def command(
    env_id: Annotated[str, typer.Argument(metavar="ID", help="Environment.")],
    agent: Annotated[
        str, typer.Option(help="A heuristic, random, a run folder or module:attribute.")
    ],
    episodes: Annotated[int, typer.Option(help="Episodes of each seed.")] = 1,
    seeds: Annotated[str, typer.Option(help="test, validation, train, or 0,1,2.")] = "test",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Default: result.json, in the run folder if agent is."),
    ] = None,
    in_process: Annotated[
        bool,
        typer.Option(
            "--in-process", help="Faster: the agent runs in this process. Not for comparisons."
        ),
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Judge an agent on fixed seeds; the result file can be replayed by gymworks verify."""
    chosen = parse_seeds(env_id, seeds)
    with bar(quiet) as shown:
        task = shown.add_task(f"{env_id} {agent}", total=len(chosen) * episodes)
        result = evaluate(
            env_id,
            agent,
            chosen,
            episodes,
            on_episode=lambda _: shown.advance(task),
            in_process=in_process,
        )
    if output is not None:
        path = write_json(output, result)
    elif Path(agent).is_dir():
        Run(agent).save_result(result)
        path = Path(agent) / "result.json"
    else:
        path = write_json("result.json", result)
    if as_json:
        head = {name: result[name] for name in ("env_id", "agent", "kind", "aggregate", "digest")}
        print_json({"result": str(path), **head, "episodes": len(result["episodes"])})
        return
    console = printer(silent=quiet)
    console.print(summary_table(result))
    console.print(f"kept in {path}\nnext: gymworks verify {path}", markup=False)


def summary_table(result: Result) -> Table:
    """The aggregate for people."""
    found = result["aggregate"]
    kind = result["kind"]
    if result["evaluations"] is not None:
        kind += f", {result['evaluations']:.6g} evaluations an episode"
    table = Table(title=f"{result['agent']} ({kind}) on {result['env_id']}")
    headings = ["episodes", f"IQM ({found['unit']})", "95 % interval", "mean"]
    cells = [
        str(len(result["episodes"])),
        f"{found['iqm']:.6g}",
        f"{found['low']:.6g} to {found['high']:.6g}",
        f"{found['mean']:.6g}",
    ]
    if "normalised_iqm" in found:
        headings.append("normalised")
        cells.append(f"{found['normalised_iqm']:.3f}")
    if found["success_rate"] is not None:
        headings.append("success")
        cells.append(f"{found['success_rate']:.0%}")
    for heading in headings:
        table.add_column(heading, justify="right")
    table.add_row(*cells)
    return table
