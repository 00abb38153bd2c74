"""Replays a sample of the episodes of results that are about to be published."""

import random
from typing import Annotated

import typer

from agents.engines.base import qualified_in_file
from experiments.evaluate import make
from experiments.results import Result, options_of
from experiments.verify import differences_of
from hardware_sim.errors import InputError

NOT_REPLAYED = "not replayed"
Replay = Annotated[
    str, typer.Option(metavar="N|all|none", help="Episodes of each result that are replayed first.")
]


def parse_replay(text: str) -> int | None:
    """The number of episodes that ``--replay`` asks for; ``None`` is all of them.

    Raises:
        InputError: It is neither a number from 0 up, ``all`` nor ``none``.
    """
    if text in ("all", "none"):
        return None if text == "all" else 0
    if not text.isdecimal():
        raise InputError(f"--replay is {text!r}; allowed: a number of episodes, all or none")
    return int(text)


def spot_check(result: Result, count: int | None = 1) -> str:
    """Replays some episodes of a result, which nobody can know beforehand.

    Args:
        result: The content of a result file.
        count: Number of episodes; ``None`` is all of them.

    Returns:
        ``"1 of 5 replayed"``, or ``"not replayed"`` with the reason.

    Raises:
        InputError: An episode does not give the figures that the result has for it.
    """
    episodes = result["episodes"]
    most = len(episodes) if count is None else min(count, len(episodes))
    chosen = random.SystemRandom().sample(episodes, most)
    if not chosen:
        return NOT_REPLAYED
    env = make(qualified_in_file(result["env_id"]), result["env_kwargs"])
    try:
        if not getattr(env.unwrapped, "deterministic", True):
            return f"{NOT_REPLAYED}: measured"
        for episode in chosen:
            for difference in differences_of(env, episode, options_of(result)):
                raise InputError(
                    f"the result of {result['agent']} on {result['env_id']} does not hold: "
                    f"{difference}"
                )
    finally:
        env.close()
    return f"{len(chosen)} of {len(episodes)} replayed"
