"""Behaviour cloning of the web expert, with its corrections of what the learner does.

Dataset aggregation (Ross, Gordon, Bagnell, AISTATS 2011): in round 0 the expert acts, now and then
disturbed; afterwards the learner acts; in every round the expert says what it would have done, and
the learner is fitted to everything said so far.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from agents.policies.masked import masked_logits
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

DISTURBANCE = 0.12
KEPT = ("elements", "text", "match", "element_mask", "instruction", "fields", "field_mask")
PACKED = ("match", "action_mask")
BATCH = 128
RATE = 3e-3
FORGET_WORDS = 0.08
"""Share of words that training hides, so that no single word is relied upon."""

Arrays = dict[str, NDArray[Any]]


class Memory:
    """What was seen and what the expert said about it, packed."""

    def __init__(self) -> None:
        self.parts: list[Arrays] = []

    def add(self, observation: Arrays, rows: NDArray[np.int64], said: NDArray[np.int64]) -> None:
        """Keeps some rows of a batched observation, with the pixels if there are any."""
        part = {key: observation[key][rows] for key in (*KEPT, "pixels") if key in observation}
        part["elements"] = part["elements"].astype(np.float16)
        part["text"] = part["text"].astype(np.int16)
        part["match"] = np.packbits(part["match"] > 0, axis=-1)
        part["action_mask"] = np.packbits(observation["action_mask"][rows] > 0, axis=1)
        self.parts.append({**part, "said": said})

    def joined(self) -> Arrays:
        """Everything in one set of arrays."""
        whole = {key: np.concatenate([part[key] for part in self.parts]) for key in self.parts[0]}
        self.parts = [whole]
        return whole


def collect(
    memory: Memory, task: str, steps: int, learner: WebPolicy | None, seed: int, rows: int = 16
) -> float:
    """Acts in a task and asks the expert at every step; returns the share of successes.

    Args:
        memory: Takes what is seen.
        task: As of :class:`envs.web.env.WebEnv`.
        steps: States to add, about.
        learner: Who acts, or ``None`` for the disturbed expert.
        seed: Seeds instructions and disturbances.
        rows: Environments at once.
    """
    env = WebVectorEnv(rows, task)
    random = np.random.default_rng(seed)
    observation, _ = env.reset(seed=int(random.integers(2**31)))
    results: list[bool] = []
    for _ in range(max(1, steps // rows)):
        live = np.array(
            [i for i, session in enumerate(env.sessions) if not session.ended], np.int64
        )
        said = np.array([_said(env.sessions[i]) for i in live], np.int64)
        known = said >= 0
        if known.any():
            memory.add(observation, live[known], said[known])
        actions = np.zeros(rows, np.int64)
        if learner is None:
            actions[live] = np.where(known, said, 0)
            disturbed = random.random(rows) < DISTURBANCE
        else:
            actions = _learned(learner, observation)
            disturbed = random.random(rows) < DISTURBANCE / 4
        for i in np.flatnonzero(disturbed):
            actions[i] = random.choice(np.flatnonzero(observation["action_mask"][i]))
        observation, _, ended, cut, info = env.step(actions)
        results += [bool(info["is_success"][i]) for i in np.flatnonzero(ended | cut)]
    env.close()
    return float(np.mean(results)) if results else 0.0


def collect_in_browser(memory: Memory, env: WebEnv, steps: int, seed: int) -> None:
    """Lets the disturbed expert act in a single environment, for learners that see pixels.

    Args:
        memory: Takes what is seen.
        env: With pixels, in a browser.
        steps: States to add.
        seed: Seeds instructions and disturbances.
    """
    random = np.random.default_rng(seed)
    ended = True
    for _ in range(steps):
        if ended:
            observation, _ = env.reset(seed=int(random.integers(2**31)))
        said = _said(env.session)
        if said >= 0:
            batch = {key: part[None] for key, part in observation.items()}
            memory.add(batch, np.zeros(1, np.int64), np.array([said]))
        if said < 0 or random.random() < DISTURBANCE:
            said = int(random.choice(np.flatnonzero(observation["action_mask"])))
        observation, _, terminated, truncated, _ = env.step(said)
        ended = terminated or truncated


def _said(session: Session) -> int:
    """The expert's action, or -1 where it is at a loss or the mask rules its action out."""
    try:
        action = expert_action(session)
    except AtALossError:
        return -1
    return action if session.encoder.allows(action) else -1


def _learned(learner: WebPolicy, observation: Arrays) -> NDArray[np.int64]:
    batch = {key: torch.as_tensor(observation[key]) for key in (*KEPT, "action_mask")}
    with torch.inference_mode():
        logits = masked_logits(learner(batch)[0], batch["action_mask"])
    return logits.argmax(1).numpy()


def fit(
    learner: WebPolicy, data: Arrays, updates: int, rate: float, seed: int, size: int = BATCH
) -> float:
    """Fits the learner to what the expert said; returns the last updates' mean loss.

    Args:
        learner: Is changed.
        data: What :meth:`Memory.joined` gives.
        updates: How many.
        rate: Highest learning rate of the schedule.
        seed: Seeds the choice of states and what is hidden from the learner.
        size: States in an update.
    """
    random = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(learner.parameters(), lr=rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, updates, pct_start=0.1)
    learner.train()
    length = data["element_mask"].sum(1)
    losses = []
    for _ in range(updates):
        rows = random.integers(len(data["said"]), size=8 * size)
        start = random.integers(8) * size  # pages of like length cost less together
        rows = rows[np.argsort(length[rows])][start : start + size]
        batch = {key: torch.as_tensor(data[key][rows]) for key in data if key not in PACKED}
        batch["match"] = torch.as_tensor(
            np.unpackbits(data["match"][rows], axis=-1, count=len(MATCH_FEATURES))
        )
        for key in ("text", "instruction"):
            keep = torch.as_tensor(random.random(batch[key].shape) > FORGET_WORDS)
            batch[key] = batch[key] * keep
        mask = torch.as_tensor(np.unpackbits(data["action_mask"][rows], axis=1, count=ACTIONS))
        logits = masked_logits(learner(batch)[0], mask)
        loss = functional.cross_entropy(logits, batch["said"])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    learner.eval()
    return float(np.mean(losses[-100:]))


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
        report: Told of every round in a line.
        rounds: Rounds in which the learner acts, after the expert's.
        site_steps: States of flight sites a round.
        task_steps: States of each small task a round.
        updates: Updates a round; three times as many in the last.
    """
    torch.manual_seed(seed)
    learner, memory, began = WebPolicy(), Memory(), time.monotonic()
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
        data = memory.joined()
        loss = fit(learner, data, updates * (3 if turn == rounds else 1), RATE, seed + turn)
        poor = {name: round(rate, 2) for name, rate in rates.items() if rate < 0.95}
        report(
            f"round {turn}: {len(data['said'])} states, loss {loss:.3f}, "
            f"{time.monotonic() - began:.0f} s, below 95 %: {poor}"
        )
    return learner
