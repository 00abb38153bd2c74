"""``gymworks evaluate``: plays an agent on fixed seeds and keeps what is needed to replay it."""

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer
from rich.table import Table

from agents.actions import decode_action, encode_action
from agents.agent import Agent
from agents.engines.base import qualified
from agents.engines.teams import is_team, make_team
from agents.process import acting
from agents.provenance import provenance
from agents.rollout import Moment, rollout
from envs.arguments import check_arguments
from envs.registration import find, is_ours
from experiments import statistics
from experiments.options import (
    AsJson,
    EnvKwargs,
    Force,
    Options,
    Quiet,
    Split,
    Trust,
    bar,
    deliver,
    destination,
    interrupted,
    output,
    pairs,
    print_json,
    printer,
    reset_options,
)
from experiments.partial import Partial, head_of, kept
from experiments.results import (
    ALIKE,
    FORMAT,
    Episode,
    Result,
    aggregate_of,
    beyond_bound,
    check_episodes,
    digest,
    standing,
)
from experiments.seeds import Seeds, agent_seed, drawn, episode_seed, parse
from hardware_sim.errors import InputError
from hardware_sim.files import is_device, write_json


def make(env_id: str, env_kwargs: dict[str, Any], **more: Any) -> gym.Env[Any, Any]:
    """The environment of an id that :func:`agents.engines.base.qualified` has returned.

    Raises:
        InputError: The id is a team of agents, or the environment does not take the arguments.
    """
    check_arguments(env_id, env_kwargs)
    if is_team(env_id):
        raise InputError(f"{env_id} is a team of agents; allowed: environments of one agent")
    try:
        return gym.make(env_id, **env_kwargs, **more)
    except (TypeError, gym.error.Error) as error:
        raise InputError(f"{env_id} cannot be made: {error}") from error


def check_options(env_id: str, env_kwargs: dict[str, Any], options: Mapping[str, Any]) -> None:
    """Resets an environment once with options, so that those which it refuses cost no work.

    Args:
        env_id: As for :func:`make`, or a team of agents.
        env_kwargs: Arguments of the environment.
        options: Options of resets; nothing is made if there are none.

    Raises:
        InputError: The environment refuses the arguments or the options.
    """
    if not options:
        return
    with closing(_lightest(env_id, env_kwargs)) as env:
        try:
            env.reset(seed=0, options=dict(options))
        except InputError:
            raise
        except (TypeError, ValueError, KeyError) as error:
            raise InputError(f"{env_id} refuses the options {dict(options)}: {error}") from error


def _lightest(env_id: str, env_kwargs: dict[str, Any]) -> Any:
    """A team, the native vector class of one row where ours has one, or the environment.

    The single class of the web would start a browser.
    """
    check_arguments(env_id, env_kwargs)
    if is_team(env_id):
        return make_team(env_id, env_kwargs)
    if is_ours(env_id) and find(env_id).vector_entry_point is not None:
        try:
            return gym.make_vec(env_id, num_envs=1, **env_kwargs)
        except (InputError, TypeError):
            pass  # some arguments are those of the single class alone
    return make(env_id, env_kwargs)


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
    in_process: bool = False,
    partial: Partial | None = None,
) -> Result:
    """Plays an agent and scores it.

    Args:
        env_id: Any id that Gymnasium knows, ours with or without ``envs:``.
        agent_name: See :func:`agents.loading.load_agent`.
        seeds: The episodes, see :mod:`experiments.seeds`.
        env_kwargs: JSON-serialisable arguments of the environment, over those of its spec.
        on_episode: Called with each episode.
        in_process: The agent runs in this process, where it could reach the environment, instead
            of one of its own (:class:`agents.process.AgentProcess`).
        partial: Keeps each episode that has ended; those that it holds are not played again.

    Returns:
        The content of a ``result.json``: ``format``, ``env_id``, ``env_spec`` (JSON text, ``None``
        if the spec has none), ``env_kwargs``, ``seeds``, ``agent``, ``kind`` (:mod:`agents.kinds`),
        ``in_process``, ``evaluations`` (that a planner counted, a mean over the episodes; ``None``
        for the other kinds), ``versions``, ``git``, ``date``, ``episodes``, ``aggregate``
        (:func:`experiments.results.aggregate`) and ``digest`` (:func:`experiments.results.digest`).

    Raises:
        InputError: Id, agent or arguments are not as above, an action is illegal, or a score lies
            beyond the bound of its problem.
    """
    env_id, env_kwargs = qualified(env_id), env_kwargs or {}
    env = make(env_id, env_kwargs)
    try:
        played, spent = _before(partial, seeds)
        with acting(agent_name, env, in_process) as agent:
            kind = getattr(agent, "kind", "agent")
            for seed, number in list(seeds)[len(played) :]:
                played.append(play(env, agent, seed, number, options=seeds.options))
                spent.append(getattr(agent, "spent", 0))
                if impossible := beyond_bound(env_id, played[-1]):
                    raise InputError(
                        f"{impossible}; the agent or a wrapper has changed the environment"
                    )
                if partial is not None:
                    partial.add(played[-1], spent[-1])
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
        "kind": kind,
        "in_process": in_process,
        "evaluations": float(np.mean(spent)) if kind == "planner" else None,
        **provenance(),
        "episodes": played,
    }
    result["aggregate"] = aggregate_of(result)
    return result | {"digest": digest(result)}


def _before(partial: Partial | None, seeds: Seeds) -> tuple[list[Episode], list[int]]:
    """The episodes that have been played already, and the evaluations counted in each."""
    if partial is None:
        return [], []
    check_episodes(partial.path, partial.episodes)
    numbers = [(episode["seed"], episode["episode"]) for episode in partial.episodes]
    if numbers != list(seeds)[: len(numbers)]:
        raise InputError(f"{partial.path} holds other episodes than those asked for")
    return list(partial.episodes), list(partial.spent)


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
    path: Annotated[
        Path | None, output("Default: result.json, in the run folder if agent is one.")
    ] = None,
    force: Force = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the same evaluation was interrupted.")
    ] = False,
    in_process: Annotated[
        bool,
        typer.Option(
            "--in-process", help="Faster: the agent runs in this process. Not for comparisons."
        ),
    ] = False,
    trust: Trust = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Judge an agent on fixed seeds; the result file can be replayed by gymworks verify."""
    options, arguments = reset_options(split, option), pairs(env or [])
    if draw is None:
        chosen = parse(env_id, seeds, episodes, options)
    elif options:
        raise InputError("seeds that are drawn are played on the test split; leave the options out")
    else:
        chosen = drawn(env_id, draw, episodes=episodes)
    check_options(qualified(env_id), arguments, options)
    if path is None:
        folder = Path(agent) if Path(agent).is_dir() else Path()
        path = destination(folder / "result.json", force=force)
    head = head_of(env_id, agent, chosen, arguments, in_process)
    # What is written to a pipe has no place beside it.
    partial = None if is_device(path) else Partial(path, head, len(chosen), resume, force)
    try:
        with bar(quiet) as shown:
            done = len(partial.episodes) if partial else 0
            task = shown.add_task(f"{env_id} {agent}", total=len(chosen), completed=done)
            result = evaluate(
                env_id,
                agent,
                chosen,
                arguments,
                on_episode=lambda _: shown.advance(task),
                in_process=in_process,
                partial=partial,
            )
    except KeyboardInterrupt:
        interrupted(f"interrupted; {kept(partial)}")
    except InputError as error:
        if partial is None or not partial.episodes:
            raise
        raise InputError(f"{error}; {kept(partial)}") from error
    deliver(path, lambda place: write_json(place, result))
    if partial is not None:
        partial.discard()
    if as_json:
        shown_fields = ("env_id", "agent", "kind", "seeds", "aggregate", "digest")
        head = {name: result[name] for name in shown_fields}
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
    title = f"{result['agent']} ({kind}) on {result['env_id']}: {standing(result)[0]}"
    table = Table(title=title)
    headings = ["episodes", f"IQM ({found['unit']})", "95 % interval", "mean"]
    cells = [
        str(len(result["episodes"])),
        f"{found['iqm']:.6g}",
        statistics.between(found["low"], found["high"], ".6g") or ALIKE,
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
