"""``gymworks web demonstrate``: episodes of an agent in the twin, in the demonstrations' format."""

from contextlib import closing
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import typer
from rich.progress import track

from agents.agent import Agent
from agents.loading import load_agent
from agents.rollout import rollout
from envs.web.actions import decode
from envs.web.demonstration import ACT, END, Demonstration, Step
from envs.web.demonstration_file import DemonstrationFile
from envs.web.env import STEP_MS, WebEnv
from envs.web.recording import versions, web_spec
from experiments.options import (
    AsJson,
    Force,
    Quiet,
    aside,
    destination,
    interrupted,
    output,
    print_json,
    printer,
)
from experiments.seeds import agent_seed
from experiments.web.record import read_options
from hardware_sim.errors import InputError


def command(
    env_id: Annotated[str, typer.Argument(metavar="ID", help="A WoB-* environment.")],
    folder: Annotated[Path, output("Folder; the file is ID.jsonl.xz.", folder=True)],
    agent: Annotated[
        str, typer.Option(help="A heuristic, random, a run folder or module:attribute.")
    ] = "expert",
    episodes: Annotated[int, typer.Option(help="Episodes, of this seed and the next.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the first episode.")] = 0,
    options: Annotated[
        str, typer.Option(help='Options of reset as JSON, such as {"split": "test"}.')
    ] = "{}",
    force: Force = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Let an agent demonstrate episodes, without a browser."""
    if episodes < 1 or seed < 0:
        raise InputError(f"{episodes} episodes from seed {seed}; allowed: from 1 and 0 up")
    chosen, name = read_options(options), web_spec(env_id).id
    path = destination(folder / f"{name}.jsonl.xz", force=force)
    scores: list[float] = []
    file, seeds = DemonstrationFile(folder), range(seed, seed + episodes)
    try:
        with closing(gym.make(f"envs:{name}", backend="twin")) as env:
            player = load_agent(agent, env)
            shown = aside(quiet)
            for each in track(seeds, "playing", console=shown, disable=quiet, transient=True):
                demonstration = demonstrate(env, player, agent, each, chosen)
                file.add(demonstration)
                scores.append(demonstration.score or 0.0)
        file.finish(path)
    except KeyboardInterrupt:
        interrupted(f"interrupted; {_kept(file, folder, name, seeds)}")
    except InputError as error:
        raise InputError(f"{error}; {_kept(file, folder, name, seeds)}") from error
    mean = sum(scores) / len(scores)
    if as_json:
        print_json({"file": str(path), "episodes": episodes, "mean_score": mean})
    else:
        text = f"{episodes} episodes, mean score {mean:.3f}, in {path}"
        printer(silent=quiet).print(text, markup=False)


def _kept(file: DemonstrationFile, folder: Path, name: str, seeds: range) -> str:
    """Keeps the whole demonstrations of a file, and describes where, and how to go on."""
    done = seeds[: file.count]
    if not done:
        file.discard()
        return "no episode had ended, and nothing is kept"
    stem = f"{name}-seeds-{done[0]}-to-{done[-1]}"
    ends = chain([""], (f"-{number}" for number in count(2)))
    path = next(path for end in ends if not (path := folder / f"{stem}{end}.jsonl").exists())
    file.keep(path)
    left = seeds[file.count :]
    others = f"; --seed {left[0]} --episodes {len(left)} plays the others" if left else ""
    return f"{len(done)} of {len(seeds)} episodes are kept in {path}{others}"


def demonstrate(
    env: gym.Env[Any, Any], agent: Agent, name: str, seed: int, options: dict[str, Any]
) -> Demonstration:
    """One episode of an agent; the states are what its observations are made of.

    Args:
        env: A web environment.
        agent: The agent that acts.
        name: Its name.
        seed: Seed of the episode.
        options: Options of ``reset``.

    Raises:
        InputError: An option is unknown, or an action does not exist.
    """
    page = env.unwrapped
    assert isinstance(page, WebEnv)
    assert env.spec is not None
    states, actions = [], []
    for moment in rollout(env, agent, seed, agent_seed=agent_seed(seed, 0), options=options):
        states.append(page.snapshot._replace(rows=list(page.snapshot.rows), changed=None))
        if moment.action is not None:
            actions.append(decode(int(moment.action)))
    steps = [
        Step(STEP_MS * number, ACT, state, action=action)
        for number, (state, action) in enumerate(zip(states, actions, strict=False))
    ]
    steps.append(Step(STEP_MS * len(actions), END, states[-1]))
    posts = [each.form for each in page.session.recorder.log if each.method == "POST"]
    return Demonstration(
        env.spec.id,
        seed,
        options,
        page.instance.instruction,
        page.instance.fields,
        page.task.size,
        "agent",
        name,
        tuple(steps),
        posts[-1] if posts else None,
        moment.info["score"] if moment.terminated else None,
        moment.terminated and moment.info["is_success"],
        versions(),
        datetime.now(UTC).isoformat(timespec="seconds"),
    )
