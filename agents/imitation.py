"""Behaviour cloning of the web expert, with its corrections of what the learner does.

Dataset aggregation (Ross, Gordon, Bagnell, AISTATS 2011): in round 0 the expert acts, now and then
disturbed; afterwards the learner acts; in every round the expert says what it would have done, and
the learner is fitted to everything said so far. Everything happens in the browser-free twin::

    python -m agents.imitation web.safetensors --seed 0
"""

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch.nn import functional

from agents.baselines.web import expert_action
from agents.policies.masked import masked_logits
from agents.policies.web import WebPolicy
from envs.registration import ENTRIES
from envs.web.vector import WebVectorEnv
from hardware_sim.errors import InputError

SITES = "envs.web.sites.variation:VariedFlightTask"
"""Declared sites and sites drawn at random, so that the policy learns to book, not a few sites."""

DISTURBANCE = 0.12
KEPT = ("elements", "text", "match", "element_mask", "instruction", "fields", "field_mask")
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
        """Keeps some rows of an observation."""
        part = {key: observation[key][rows] for key in KEPT}
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
        said = np.array([_said(env, i) for i in live], np.int64)
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


def _said(env: WebVectorEnv, row: int) -> int:
    """What the expert would do in a row, or -1 where it is at a loss."""
    try:
        action = expert_action(env.sessions[row])
    except (InputError, IndexError, StopIteration):
        return -1
    return action if env.arrays["action_mask"][row, action] else -1


def _learned(learner: WebPolicy, observation: Arrays) -> NDArray[np.int64]:
    batch = {key: torch.as_tensor(observation[key]) for key in (*KEPT, "action_mask")}
    with torch.inference_mode():
        logits = masked_logits(learner(batch)[0], batch["action_mask"])
    return logits.argmax(1).numpy()


def fit(learner: WebPolicy, data: Arrays, updates: int, rate: float, seed: int) -> float:
    """Fits the learner to what the expert said; returns the last updates' mean loss."""
    random = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(learner.parameters(), lr=rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, updates, pct_start=0.1)
    learner.train()
    length = data["element_mask"].sum(1)
    losses = []
    for _ in range(updates):
        rows = random.integers(len(data["said"]), size=8 * BATCH)
        start = random.integers(8) * BATCH  # pages of like length cost less together
        rows = rows[np.argsort(length[rows])][start : start + BATCH]
        batch = {key: torch.as_tensor(data[key][rows]) for key in KEPT}
        batch["match"] = torch.as_tensor(np.unpackbits(data["match"][rows], axis=-1))
        for key in ("text", "instruction"):
            keep = torch.as_tensor(random.random(batch[key].shape) > FORGET_WORDS)
            batch[key] = batch[key] * keep
        mask = torch.as_tensor(np.unpackbits(data["action_mask"][rows], axis=1, count=1445))
        logits = masked_logits(learner(batch)[0], mask)
        loss = functional.cross_entropy(logits, torch.as_tensor(data["said"][rows]))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    learner.eval()
    return float(np.mean(losses[-100:]))


def train(
    output: Annotated[Path, typer.Argument(help="File of the weights.")],
    seed: Annotated[int, typer.Option(help="Seeds everything.")] = 0,
    rounds: Annotated[int, typer.Option(help="Rounds in which the learner acts.")] = 3,
    site_steps: Annotated[int, typer.Option(help="States of flight sites a round.")] = 40_000,
    task_steps: Annotated[int, typer.Option(help="States of a small task a round.")] = 1200,
    updates: Annotated[
        int, typer.Option(help="Updates a round; three times as many at last.")
    ] = 700,
    start: Annotated[Path | None, typer.Option(help="Weights to go on from.")] = None,
) -> None:
    """Trains a policy on all web tasks but the sites kept for transfer."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    learner, memory, began = WebPolicy(), Memory(), time.monotonic()
    if start is not None:
        known = load_file(start)
        learner.load_state_dict({name: part.float() for name, part in known.items()})
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
        last = turn == rounds
        loss = fit(learner, data, updates * (3 if last else 1), RATE, seed + turn)
        poor = {name: round(rate, 2) for name, rate in rates.items() if rate < 0.95}
        typer.echo(
            f"round {turn}: {len(data['said'])} states, loss {loss:.3f}, "
            f"{time.monotonic() - began:.0f} s, below 95 %: {poor}"
        )
        state = {name: part.half() for name, part in learner.state_dict().items()}
        save_file(state, output)


if __name__ == "__main__":
    typer.run(train)
