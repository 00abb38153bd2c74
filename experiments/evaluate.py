"""``gymworks evaluate``: plays an agent on fixed seeds and keeps what is needed to replay it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer
from rich.table import Table

from agents.agent import Agent
from agents.engines.base import qualified
from agents.engines.teams import is_team
from agents.loading import load_agent
from agents.rollout import Moment, rollout
from agents.runs import Run, provenance
from experiments.options import (
    AsJson,
    EnvKwargs,
    Options,
    Quiet,
    Split,
    bar,
    pairs,
    print_json,
    printer,
    reset_options,
)
from experiments.results import (
    FORMAT,
    Episode,
    Result,
    aggregate_of,
    beyond_bound,
    digest,
    standing,
)
from experiments.seeds import Seeds, agent_seed, drawn, episode_seed, parse
from hardware_sim.errors import InputError
from hardware_sim.files import write_json

COMPOSITE = (gym.spaces.Dict, gym.spaces.Tuple)


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


def encode_action(space: gym.Space[Any], action: Any) -> Any:
    """An action as JSON: an integer, a list, or what the space makes of it.

    Raises:
        InputError: The action does not belong to the space.
    """
    try:
        if isinstance(space, gym.spaces.Discrete):
            array = np.asarray(action)
            if array.size != 1 or array.dtype.kind not in "iu":  # int() would round the others
                raise ValueError
            action = array.item()
        elif isinstance(space, gym.spaces.Box):
            action = np.asarray(action, dtype=space.dtype)
        encoded = _to_json(space, action)
        decode_action(space, encoded)
    except (TypeError, ValueError, LookupError, AttributeError):
        raise InputError(f"action {action!r} does not belong to {space}") from None
    return encoded


def decode_action(space: gym.Space[Any], encoded: Any) -> Any:
    """The inverse of :func:`encode_action`.

    Raises:
        InputError: It encodes no action of the space.
    """
    try:
        action = space.from_jsonable(encoded if isinstance(space, COMPOSITE) else [encoded])[0]
        # Coming back as it was, for spaces convert what is not theirs (1.7 to 1).
        if space.contains(action) and _to_json(space, action) == encoded:
            return action
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError):
        pass
    raise InputError(f"action {encoded!r} does not belong to {space}")


def _to_json(space: gym.Space[Any], action: Any) -> Any:
    """A batch of one as the space makes it; composite spaces have the batch inside."""
    batch = space.to_jsonable([action])
    return batch if isinstance(space, COMPOSITE) else batch[0]


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
    options: Mapping[str, Any] | None = None,
) -> Episode:
    """Plays one episode to its end.

    Args:
        env: The environment.
        agent: The agent that acts in it.
        seed: The seed.
        episode: The episode's number among those of the seed.
        on_step: Called after the reset and after every step.
        options: Options of the environment's reset.

    Raises:
        InputError: The agent chose an action that is not in the action space.
    """
    player, total = Noted(agent, env.action_space), 0.0
    first, own = episode_seed(seed, episode), agent_seed(seed, episode)
    given = dict(options) if options else None
    for moment in rollout(env, player, first, agent_seed=own, options=given):
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
    problem, bound = info.get("problem"), info.get("bound")
    return {
        "seed": seed,
        "episode": episode,
        "return": total,
        "score": None if score is None else float(score),
        "is_success": None if success is None else bool(success),
        "problem": problem if isinstance(problem, str) else None,
        "bound": float(bound) if isinstance(bound, float | int) else None,
        "length": len(actions),
        "actions": actions,
    }


def evaluate(
    env_id: str,
    agent_name: str,
    seeds: Seeds,
    env_kwargs: dict[str, Any] | None = None,
    on_episode: Callable[[Episode], None] | None = None,
) -> Result:
    """Plays an agent and scores it.

    Args:
        env_id: Any id that Gymnasium knows, ours with or without ``envs:``.
        agent_name: See :func:`agents.loading.load_agent`.
        seeds: The episodes, see :mod:`experiments.seeds`.
        env_kwargs: JSON-serialisable arguments of the environment, over those of its spec.
        on_episode: Called with each episode.

    Returns:
        The content of a ``result.json``: ``format``, ``env_id``, ``env_spec`` (JSON text, ``None``
        if the spec has none), ``env_kwargs``, ``seeds``, ``agent``, ``versions``, ``git``,
        ``date``, ``episodes``, ``aggregate`` (:func:`experiments.results.aggregate`) and
        ``digest`` (:func:`experiments.results.digest`).

    Raises:
        InputError: Id, agent or arguments are not as above, an action is illegal, or a score lies
            beyond the bound of its problem.
    """
    env_id, env_kwargs = qualified(env_id), env_kwargs or {}
    env = make(env_id, env_kwargs)
    try:
        agent = load_agent(agent_name, env)
        played = []
        for seed, number in seeds:
            played.append(play(env, agent, seed, number, options=seeds.options))
            if impossible := beyond_bound(env_id, played[-1]):
                raise InputError(
                    f"{impossible}; the agent or a wrapper has changed the environment"
                )
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
        "seeds": seeds.to_json(),
        "agent": agent_name,
        **provenance(),
        "episodes": played,
    }
    result["aggregate"] = aggregate_of(result)
    return result | {"digest": digest(result)}


def spec_json(env: gym.Env[Any, Any]) -> str | None:
    """The environment's spec as JSON text; ``None`` where it holds values that JSON cannot."""
    try:
        return env.spec.to_json() if env.spec else None
    except ValueError:
        return None


def command(
    env_id: Annotated[str, typer.Argument(metavar="ID", help="Environment.")],
    agent: Annotated[
        str, typer.Option(help="A heuristic, random, a run folder or module:attribute.")
    ],
    episodes: Annotated[int, typer.Option(help="Episodes of each seed.")] = 1,
    seeds: Annotated[str, typer.Option(help="test, validation, train, or 0,1,2.")] = "test",
    split: Split = None,
    option: Options = None,
    env: EnvKwargs = None,
    draw: Annotated[
        str | None,
        typer.Option(
            envvar="GYMWORKS_SECRET",
            show_envvar=True,
            metavar="SECRET",
            help="Draw the seeds from a secret instead, which gymworks verify --draw takes.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Default: result.json, in the run folder if agent is."),
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Judge an agent on fixed seeds; the result file can be replayed by gymworks verify."""
    options = reset_options(split, option)
    if draw is None:
        chosen = parse(env_id, seeds, episodes, options)
    elif options:
        raise InputError("seeds that are drawn are played on the test split; leave the options out")
    else:
        chosen = drawn(env_id, draw, episodes=episodes)
    with bar(quiet) as shown:
        task = shown.add_task(f"{env_id} {agent}", total=len(chosen))
        result = evaluate(
            env_id, agent, chosen, pairs(env or []), on_episode=lambda _: shown.advance(task)
        )
    if output is not None:
        path = write_json(output, result)
    elif Path(agent).is_dir():
        Run(agent).save_result(result)
        path = Path(agent) / "result.json"
    else:
        path = write_json("result.json", result)
    if as_json:
        head = {name: result[name] for name in ("env_id", "agent", "seeds", "aggregate", "digest")}
        print_json({"result": str(path), **head, "episodes": len(result["episodes"])})
        return
    console = printer(silent=quiet)
    console.print(summary_table(result))
    console.print(f"kept in {path}\nnext: gymworks verify {path}", markup=False)


def summary_table(result: Result) -> Table:
    """The aggregate for people."""
    found = result["aggregate"]
    title = f"{result['agent']} on {result['env_id']}: {standing(result)[0]}"
    table = Table(title=title)
    headings = ["episodes", f"IQM ({found['unit']})", "95 % interval", "mean"]
    cells = [
        str(len(result["episodes"])),
        f"{found['iqm']:.6g}",
        f"{found['low']:.6g} to {found['high']:.6g}",
        f"{found['mean']:.6g}",
    ]
    if "normalised_iqm" in found:
        headings.append("normalised")
        without = f" ({found['left_out']} left out)" if found["left_out"] else ""
        cells.append(f"{found['normalised_iqm']:.3f}{without}")
    if found["success_rate"] is not None:
        headings.append("success")
        cells.append(f"{found['success_rate']:.0%}")
    for heading in headings:
        table.add_column(heading, justify="right")
    table.add_row(*cells)
    return table
