"""Imitation of the web expert: how pages are packed, collected, and batched with words hidden.

The method is :mod:`agents.algorithms.imitation`: dataset aggregation, in which the expert acts
first, now and then disturbed, then the learner, and the expert's actions are kept in every round.
"""

import time
from collections.abc import Callable
from contextlib import closing

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from agents.algorithms import imitation
from agents.algorithms.imitation import Arrays, Batch, Batches, Memory, Records, greedy
from agents.web.expert import AtALossError, expert_action
from agents.web.policy import WebPolicy
from envs.registration import ENTRIES
from envs.web.actions import ACTIONS
from envs.web.elements import MATCH_FEATURES
from envs.web.env import WebEnv
from envs.web.session import Session
from envs.web.vector import WebVectorEnv

SITES = "envs.web.sites.variation:VariedFlightTask"
"""Declared sites and sites drawn at random, so that the policy learns to book, not a few sites."""

SPACE: "gym.spaces.Discrete[np.int64]" = gym.spaces.Discrete(ACTIONS)
DISTURBANCE = 0.12
KEPT = ("elements", "text", "match", "element_mask", "instruction", "fields", "field_mask")
BATCH = 128
RATE = 3e-3
FORGET_WORDS = 0.08
"""Share of words that training hides, so that no single word is relied upon."""


def pack(observations: Arrays) -> Arrays:
    """The parts of pages that policies read, in fewer bytes, with the pixels if there are any."""
    kept = {key: observations[key] for key in (*KEPT, "pixels") if key in observations}
    kept["elements"] = kept["elements"].astype(np.float16)
    kept["text"] = kept["text"].astype(np.int16)
    kept["match"] = np.packbits(kept["match"] > 0, axis=-1)
    kept["action_mask"] = np.packbits(observations["action_mask"] > 0, axis=1)
    return kept


def collect(
    memory: Memory, task: str, steps: int, learner: WebPolicy | None, seed: int, rows: int = 16
) -> float:
    """Acts in a task and asks the expert in every state; returns the share of successes.

    Args:
        memory: Takes the pages; made with :func:`pack`.
        task: As of :class:`envs.web.env.WebEnv`.
        steps: Roughly the number of states to add.
        learner: The policy that acts, or ``None`` for the disturbed expert.
        seed: Seeds instructions and disturbances.
        rows: Environments at once.
    """
    with closing(WebVectorEnv(rows, task)) as env:

        def expert(row: int, observation: Arrays) -> int | None:
            return _expert(env.sessions[row])

        if learner is None:
            return imitation.collect(memory, env, expert, steps, seed, None, DISTURBANCE)
        policy = greedy(learner, SPACE)
        return imitation.collect(memory, env, expert, steps, seed, policy, DISTURBANCE / 4)


def collect_in_browser(memory: Memory, env: WebEnv, steps: int, seed: int) -> None:
    """Lets the disturbed expert act in a single environment, for learners that see pixels.

    Args:
        memory: Takes the pages; made with :func:`pack`.
        env: With pixels, in a browser.
        steps: States to add.
        seed: Seeds instructions and disturbances.
    """
    random = np.random.default_rng(seed)
    ended = True
    for _ in range(steps):
        if ended:
            observation, _ = env.reset(seed=int(random.integers(2**31)))
        action = _expert(env.session)
        if action is not None:
            memory.add({key: part[None] for key, part in observation.items()}, [0], [action])
        if action is None or random.random() < DISTURBANCE:
            action = int(random.choice(np.flatnonzero(observation["action_mask"])))
        observation, _, terminated, truncated, _ = env.step(action)
        ended = terminated or truncated


def _expert(session: Session) -> int | None:
    """The expert's action, or None where it is at a loss or the mask rules its action out."""
    try:
        action = expert_action(session.sight())
    except AtALossError:
        return None
    return action if session.encoder.allows(action) else None


def pages(records: Records, size: int) -> Batches:
    """Batches of unpacked pages, some words of which are hidden."""
    length = records.observations["element_mask"].sum(1)

    def draw(random: np.random.Generator) -> Batch:
        rows = random.integers(len(length), size=8 * size)
        start = random.integers(8) * size  # pages of like length cost less together
        rows = rows[np.argsort(length[rows])][start : start + size]
        batch = {key: torch.as_tensor(part) for key, part in _unpacked(records, rows).items()}
        for key in ("text", "instruction"):
            keep = torch.as_tensor(random.random(batch[key].shape) > FORGET_WORDS)
            batch[key] = batch[key] * keep
        return batch, torch.as_tensor(records.actions[rows])

    return draw


def _unpacked(records: Records, rows: NDArray[np.int64]) -> Arrays:
    """Some of the pages, with a byte a bit again."""
    arrays = {key: part[rows] for key, part in records.observations.items()}
    for key, count in (("match", len(MATCH_FEATURES)), ("action_mask", ACTIONS)):
        arrays[key] = np.unpackbits(arrays[key], axis=-1, count=count)
    return arrays


def fit(
    learner: WebPolicy, records: Records, updates: int, rate: float, seed: int, size: int = BATCH
) -> float:
    """Fits the learner to the expert's actions; returns the last updates' mean loss.

    Args:
        learner: Is changed.
        records: The pages, as :func:`pack` leaves them.
        updates: How many.
        rate: Highest learning rate of the schedule.
        seed: Seeds the choice of states and what is hidden from the learner.
        size: States in an update.
    """
    return imitation.fit(learner, SPACE, pages(records, size), updates, rate, seed)


def imitate(
    seed: int,
    report: Callable[[str], None],
    rounds: int = 2,
    site_steps: int = 30_000,
    task_steps: int = 1000,
    updates: int = 600,
) -> WebPolicy:
    """A policy for the flight sites (but not ``generic``) and all small tasks, from the twin.

    Args:
        seed: Seeds everything.
        report: Gets one line a round.
        rounds: Rounds in which the learner acts, after the expert's.
        site_steps: States of flight sites a round.
        task_steps: States of each small task a round.
        updates: Updates a round; three times as many in the last.
    """
    torch.manual_seed(seed)
    learner, memory, began = WebPolicy(), Memory(pack), time.monotonic()
    tasks = {"sites": SITES} | {
        name: str(entry.kwargs["task"])
        for name, entry in ENTRIES.items()
        if entry.domain == "web" and "FlightTask" not in entry.kwargs["task"]
    }
    for turn in range(rounds + 1):
        rates = {}
        for place, (name, task) in enumerate(tasks.items()):
            steps, rows = (site_steps, 64) if task == SITES else (task_steps, 16)
            who = learner if turn else None
            draw = 1000 * seed + 100 * turn + place
            rates[name] = collect(memory, task, steps, who, draw, rows)
        records = memory.joined()
        loss = fit(learner, records, updates * (3 if turn == rounds else 1), RATE, seed + turn)
        poor = {name: round(rate, 2) for name, rate in rates.items() if rate < 0.95}
        report(
            f"round {turn}: {len(records.actions)} states, loss {loss:.3f}, "
            f"{time.monotonic() - began:.0f} s, below 95 %: {poor}"
        )
    return learner
