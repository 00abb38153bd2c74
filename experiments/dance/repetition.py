"""Scores of charts that repeat themselves beside agents and people, with and without variety.

``python -m experiments.dance.repetition`` plays ``StepSelection-v1`` on the held-out song; with
``--songs FOLDER`` on all songs of a folder, whose human charts are played too.
"""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import cycle, islice
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.progress import track
from rich.table import Table

from agents.agent import Agent
from agents.loading import load_agent
from agents.rollout import rollout
from envs.dance.env import DanceEnv
from envs.dance.episodes import Episodes
from envs.dance.tracks import SHIPPED
from experiments.options import printer
from hardware_sim.commands import run

ENV_ID = "envs:StepSelection-v1"
LEFT, DOWN, UP, RIGHT = (4**panel for panel in range(4))
ROUNDS = {
    "left": (LEFT,),
    "left and right in turn": (LEFT, RIGHT),
    "stairs": (LEFT, DOWN, UP, RIGHT, UP, DOWN),
}
AGENTS = ("rules", "cloned")
PEOPLE = "people"


class Written:
    """Plays what is written; where that is illegal, the first legal action.

    Args:
        begin: Gives the actions of the episode that begins.
    """

    def __init__(self, begin: Callable[[], Iterable[int]]) -> None:
        self._begin = begin

    def reset(self, seed: int) -> None:
        """Goes to the first action."""
        self._left = iter(self._begin())

    def act(self, observation: dict[str, NDArray[Any]], info: dict[str, Any]) -> np.int64:
        """The next action."""
        mask, action = observation["action_mask"], next(self._left)
        return np.int64(action if mask[action] else mask.argmax())


def players(env: gym.Env[Any, Any], songs: str) -> dict[str, Agent]:
    """Players by name; people among them where the songs have charts with their panels."""
    dance = env.unwrapped
    assert isinstance(dance, DanceEnv)
    core = dance.core

    def human() -> Iterable[int]:
        return map(int, core.episodes.human[core.episode[0]])

    found: dict[str, Agent] = {name: Written(partial(cycle, rows)) for name, rows in ROUNDS.items()}
    found |= {name: load_agent(name, env) for name in AGENTS}
    return found if songs == SHIPPED else {**found, PEOPLE: Written(human)}


def nats(env: gym.Env[Any, Any], player: Agent, options: dict[str, str]) -> tuple[float, float]:
    """Nats a time of an episode: without variety, and of variety."""
    moments = islice(rollout(env, player, 0, options=options), 1, None)
    rewards = [moment.info["reward"] for moment in moments]
    variety = np.array([parts["variety"] for parts in rewards])
    total = np.array([sum(parts.values()) for parts in rewards])
    return float((total - variety).mean()), float(variety.mean())


def main(
    songs: Annotated[str, typer.Option(help="shipped, or a folder of songs.")] = SHIPPED,
) -> None:
    """Prints a line for each player and level: means over songs."""
    episodes = Episodes.of("selection", songs)
    wanted = [k for k, split in enumerate(episodes.split) if songs != SHIPPED or split == "test"]
    env = gym.make(ENV_ID, songs=songs, split=episodes.split[wanted[0]])
    cast = players(env, songs)
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for number in track(wanted, "charts"):
        named = episodes.named(number)
        for name, player in cast.items():
            found.setdefault((named["level"], name), []).append(nats(env, player, named))
    env.close()
    table = Table("level", "chart", box=SIMPLE)
    for column in ("without variety", "variety", "score"):
        table.add_column(column, justify="right")
    for (level, name), each in found.items():
        without, variety = np.mean(each, axis=0).tolist()
        cells = (f"{figure:.2f}" for figure in (without, variety, without + variety))
        table.add_row(level, name, *cells)
    printer(soft_wrap=False).print(table)


if __name__ == "__main__":
    run(main)
