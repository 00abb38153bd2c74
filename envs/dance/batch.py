"""Many songs being choreographed at once: the core that both environment classes drive.

A row is a chart's: the states of the four panels at one time. What :mod:`envs.rows` calls a row is
a song here.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from envs.dance.chart import DIFFICULTIES, PANELS
from envs.dance.episodes import CONTEXT, OUTLOOK, Episodes, Song, Task
from envs.dance.footwork import LEFT_FOOT, PANEL_BITS, RIGHT_FOOT, STANCES
from envs.dance.levels import (
    CLOSING,
    HELD_AFTER,
    LEGAL,
    PRESSES,
    SHORTEST_GAP_S,
    WITHIN_LEVEL,
)
from envs.dance.rewards import RowCritic, Variety, Worth, centred, conditional, row_critic
from envs.dance.timing import TICKS
from envs.dance.tracking import FootTracker
from envs.dance.tracks import ABSENT, UNKNOWN
from envs.rows import Columns, Core, Outcome, whole_actions
from hardware_sim.errors import choose

HISTORY = 64
"""Songs that are remembered, as in the paper."""

ILLEGAL_REWARD = -5.0
"""An illegal action ends the episode with this reward."""

LONGEST_S = 10.0
"""Bound of the observed intervals, in seconds."""

DENSEST = 40.0
"""Bound of the observed densities, in rows a second."""

LEAST_CHANCE = 1e-3
"""Probabilities of the onset critic are kept this far from 0 and 1."""

SUCCESS_F1, SUCCESS_DENSITY_ERROR = 0.6, 0.1

LEAST_LOG_PROB = -12.0
"""The least reward for a row, however unlikely the critic finds it."""

Songs = NDArray[np.bool_]
"""True for some of the songs, bool ``(B,)``."""

MEASURE = 4 * TICKS
STEP = np.uint8(1)
"""The code that is written for a step where onsets alone are asked for, without panels."""


class DanceBatch(Core):
    """``B`` songs that are being choreographed.

    Args:
        task: ``"choreography"``, ``"placement"`` (onsets) or ``"selection"``.
        songs: ``"shipped"``, or a folder of songs.
        split: ``"train"`` or ``"test"``, drawn from unless an episode asks otherwise.
        critic: Judges rows of charts, an object or its name, or None for no such reward.
        playability: Worth of the feet's cost, see :class:`envs.dance.rewards.Worth`.
        density: Worth of the density's error, see :class:`envs.dance.rewards.Worth`.
        imitation: Worth of agreement with the human chart, see :class:`envs.dance.rewards.Worth`.
        variety: Worth of the chart's own entropy, see :class:`envs.dance.rewards.Worth`.
        batch: Number of songs ``B``.

    Raises:
        InputError: No such task, songs, split or critic, or a worth out of range.
    """

    options = ("song", "level", "split")

    def __init__(
        self,
        task: Task,
        songs: str,
        split: str,
        critic: RowCritic | str | None,
        playability: float,
        density: float,
        imitation: float,
        variety: float,
        batch: int,
    ) -> None:
        self.task, self.critic, self.batch = task, row_critic(critic), batch
        self.worth = Worth(playability, density, imitation, variety)
        self.episodes = Episodes.of(task, songs)
        self.split = choose("split", split, sorted(set(self.episodes.split)))
        self.actions = 2 if task == "placement" else len(PRESSES)
        self.episode, self.place = np.zeros(batch, np.int64), np.zeros(batch, np.int64)
        self.recent = np.zeros((batch, HISTORY), np.uint8)
        self.times = np.zeros((batch, HISTORY))
        self.held = np.zeros(batch, np.int64)
        self.pressed_s = np.zeros(batch)
        self.feet = FootTracker(batch)
        self.pressed, self.agreed = np.zeros(batch, np.int64), np.zeros(batch, np.int64)
        self.found, self.total, self.effort, self.error = (np.zeros(batch) for _ in range(4))
        longest = self.episodes.times.shape[1]
        self.chart = np.zeros((batch, longest), np.uint8)
        self.variety = Variety(batch, longest) if variety else None
        self.ended = np.zeros(batch, np.bool_)
        self.begin(~self.ended, self.episode.tolist())
        self.ended[:] = True

    def spaces(self) -> tuple[spaces.Dict, spaces.Discrete[np.int64]]:
        """Observation and action space of one song."""

        def box(low: float, high: float, *shape: int) -> spaces.Box:
            return spaces.Box(low, high, shape, np.float32)

        def flags(size: int) -> spaces.Box:
            return spaces.Box(0, 1, (size,), np.int8)

        observation = spaces.Dict(
            {
                "audio": box(-np.inf, np.inf, 2 * CONTEXT + 1, *self.episodes.mel.shape[2:]),
                "onset": box(0.0, 1.0, OUTLOOK),
                "beat": box(-1.0, 1.0, 4),
                "rows": spaces.Box(0, 255, (HISTORY,), np.uint8),
                "deltas": box(0.0, LONGEST_S, HISTORY),
                "until": box(0.0, LONGEST_S, 1),
                "held": flags(len(PANELS)),
                "feet": flags(2 * len(STANCES) + 2),
                "level": flags(len(DIFFICULTIES)),
                "density": box(0.0, DENSEST, 2),
                "progress": box(0.0, 1.0, 1),
                "action_mask": flags(self.actions),
            }
        )
        return observation, spaces.Discrete(self.actions)

    def columns(self) -> Columns:
        """Names of places in the beat, panels, stances, levels and densities."""
        stances = [
            "+".join(name for name, bit in zip(PANELS, PANEL_BITS, strict=True) if stance & bit)
            for stance in STANCES
        ]
        feet = [f"{foot} foot on {on or 'none'}" for foot in ("left", "right") for on in stances]
        return {
            "beat": ("sine, beat", "cosine, beat", "sine, measure", "cosine, measure"),
            "held": PANELS,
            "feet": (*feet, "left foot stepped last", "right foot stepped last"),
            "level": DIFFICULTIES,
            "density": ("rows a second so far", "rows a second wanted"),
        }

    def draw(self, random: np.random.Generator, options: Mapping[str, Any]) -> int:
        """The number of a new episode: the song and level asked for, or any of the split.

        Raises:
            InputError: There is no such split, song or level.
        """
        return self.episodes.draw(random, {"split": self.split, **options})

    def begin(self, songs: Songs, drawn: list[int]) -> dict[str, list[str]]:
        """Starts episodes of the given songs, one number each; names songs and levels."""
        self.episode[songs] = np.array(drawn, np.int64)
        for array in (self.place, self.recent, self.held, self.pressed, self.agreed, self.chart):
            array[songs] = 0
        for total in (self.found, self.total, self.effort, self.error):
            total[songs] = 0.0
        before = self.episodes.times[self.episode[songs], 0] - LONGEST_S
        self.times[songs], self.pressed_s[songs] = before[:, None], before
        self.feet.reset(songs)
        if self.variety is not None:
            self.variety.reset(songs)
        self.ended[songs] = False
        self._look()
        names = [self.episodes.named(k) for k in drawn]
        return {key: [name[key] for name in names] for key in ("song", "level")}

    def step(self, songs: Songs, actions: NDArray[np.integer[Any]]) -> Outcome:
        """Writes a row of the chart, or nothing, in the given songs.

        Raises:
            InputError: An action of these songs is outside the space.
        """
        chosen = whole_actions(actions, songs, self.actions)
        illegal = songs & ~self.legal[np.arange(self.batch), chosen]
        acting = songs & ~illegal
        code = np.where(acting, chosen, 0).astype(np.uint8)
        parts = {name: np.zeros(self.batch) for name in self.worth.parts}
        parts["illegal"][illegal] = ILLEGAL_REWARD
        self._judge(acting, code, parts)
        self._write(acting, code, parts)
        error = self._density_error()
        parts["density"][acting] = self.worth.density * (self.error - error)[acting]
        self.error = np.where(acting, error, self.error)
        last = self.place == self.episodes.length[self.episode] - 1
        finished = acting & last
        self.place[acting & ~last] += 1
        terminated = illegal | finished
        self.ended |= terminated
        outcome = Outcome(parts, terminated, np.zeros(self.batch, np.bool_))
        self.total += outcome.reward
        self._look()
        return outcome

    def _judge(self, acting: Songs, code: NDArray[np.uint8], parts: dict[str, Any]) -> None:
        """Rewards by the two critics."""
        presses = code > 0 if self.task == "placement" else PRESSES[code] > 0
        if self.task != "selection":
            chance = self.episodes.onset[self.episode, self.place].astype(np.float64)
            chance = chance.clip(LEAST_CHANCE, 1 - LEAST_CHANCE)
            log_probs = np.log(np.stack([1 - chance, chance], axis=1))
            parts["onset"][acting] = centred(log_probs, presses.astype(np.int64))[acting]
        if self.critic is None or self.task == "placement":
            return
        judged = np.flatnonzero(acting & ((code > 0) | (self.held > 0)))
        if not len(judged):
            return
        log_probs = self.critic.log_probs(
            self.recent[judged],
            self._deltas()[judged],
            self.episodes.ticks[self.episode, self.place][judged] % TICKS,
            self.episodes.level[self.episode][judged],
        ).astype(np.float64)
        if self.task == "choreography":
            log_probs = conditional(log_probs, presses[judged])
        found = centred(log_probs, code[judged].astype(np.int64))
        parts["row"][judged] = np.maximum(found, LEAST_LOG_PROB)

    def _write(self, acting: Songs, code: NDArray[np.uint8], parts: dict[str, Any]) -> None:
        """Puts the row down: history, holds, feet and the comparison with the human chart."""
        everyone = np.arange(self.batch)
        self.chart[everyone[acting], self.place[acting]] = code[acting]
        human = self.episodes.human[self.episode, self.place]
        pressing = acting & (code > 0 if self.task == "placement" else PRESSES[code] > 0)
        wanted = (human == UNKNOWN) | ((human > 0) & (PRESSES[np.maximum(human, 0)] > 0))
        known = acting & (human != ABSENT)
        same = np.where(human == UNKNOWN, pressing, human == code)
        if self.task == "placement":
            same = wanted == pressing
        self.agreed += known & same
        self.found += pressing & wanted
        parts["imitation"][known & same] = self.worth.imitation
        self.pressed += pressing
        self.pressed_s[pressing] = self.now[pressing]
        written = acting & (code > 0)
        if self.variety is not None:
            grown = self.variety.add(written, self.recent[:, -1], code)
            parts["variety"] = self.worth.variety * grown
        self.recent[written, :-1] = self.recent[written, 1:]
        self.times[written, :-1] = self.times[written, 1:]
        self.recent[written, -1] = code[written]
        self.times[written, -1] = self.now[written]
        if self.task == "placement":
            return
        self.held[acting] = _bits(HELD_AFTER[self.held, code])[acting]
        effort = self.feet.step(code, self.now)
        self.effort += effort
        parts["playability"][written] = -self.worth.playability * effort[written]

    def _look(self) -> None:
        """Updates the present time and the legal actions of every song."""
        self.now = self.episodes.times[self.episode, self.place]
        level = self.episodes.level[self.episode]
        too_soon = self.now - self.pressed_s < SHORTEST_GAP_S[level] - 1e-6
        if self.task == "placement":
            self.legal = np.stack([np.ones(self.batch, np.bool_), ~too_soon], axis=1)
            return
        last = self.place == self.episodes.length[self.episode] - 1
        self.legal = np.where(last[:, None], CLOSING[self.held], LEGAL[self.held])
        self.legal &= WITHIN_LEVEL[level]
        if self.task == "selection":
            self.legal[:, 0] = False
        else:
            self.legal &= (PRESSES == 0) | ~too_soon[:, None]

    def _deltas(self) -> NDArray[np.float32]:
        """Seconds from each remembered row to the next one, or to now, float32 ``(B, 64)``."""
        after = np.concatenate([self.times[:, 1:], self.now[:, None]], axis=1)
        return np.clip(after - self.times, 0.0, LONGEST_S).astype(np.float32)

    def _density_error(self) -> NDArray[np.float64]:
        """Steps too many or too few until now, over those wanted in the song; at most 1."""
        density = self.episodes.density[self.episode]
        wanted = density * (self.now - self.episodes.times[self.episode, 0])
        error = np.abs(self.pressed - wanted) / np.maximum(density * self._duration(), 1.0)
        return np.asarray(np.minimum(error, 1.0))

    def _duration(self) -> NDArray[np.float64]:
        """Seconds of each song's candidate times, float64 ``(B,)``."""
        times = self.episodes.times[self.episode]
        return np.asarray(times[:, -1] - times[:, 0])

    def observe(self) -> dict[str, NDArray[Any]]:
        """The observations of all songs, as new arrays."""
        table = self.episodes
        frames = np.rint(self.now * 100.0).astype(np.int64)[:, None] + np.arange(2 * CONTEXT + 1)
        frames = frames.clip(0, table.mel.shape[1] - 1)
        ahead = self.place[:, None] + np.arange(OUTLOOK)
        tick = table.ticks[self.episode, self.place]
        beat, measure = 2 * np.pi * tick / TICKS, 2 * np.pi * tick / MEASURE
        following = np.minimum(self.place + 1, table.length[self.episode] - 1)
        until = table.times[self.episode, following] - self.now
        begun = table.times[self.episode, 0]
        so_far = self.pressed / np.maximum(self.now - begun, 1.0)
        level = table.level[self.episode]
        density = np.stack([so_far, table.density[self.episode]], axis=1)
        shape = {
            "audio": table.mel[table.song[self.episode][:, None], frames],
            "onset": table.onset[self.episode[:, None], ahead],
            "beat": np.stack(
                [np.sin(beat), np.cos(beat), np.sin(measure), np.cos(measure)], axis=1
            ),
            "rows": self.recent,
            "deltas": self._deltas(),
            "until": until[:, None].clip(0.0, LONGEST_S),
            "held": (self.held[:, None] >> np.arange(len(PANELS))) & 1,
            "feet": stance_flags(self.feet.stance),
            "level": level[:, None] == np.arange(len(DIFFICULTIES)),
            "density": density.clip(0.0, DENSEST),
            "progress": (self.place / table.length[self.episode])[:, None],
            "action_mask": self.legal,
        }
        types = {"rows": np.uint8, "held": np.int8, "feet": np.int8, "level": np.int8}
        types["action_mask"] = np.int8
        return {name: value.astype(types.get(name, np.float32)) for name, value in shape.items()}

    def mask(self) -> NDArray[np.bool_]:
        """Legal actions, bool ``(B, A)``."""
        return self.legal.copy()

    def problem_of(self, song: int) -> Song:
        """The whole of a song."""
        return self.episodes.shown(int(self.episode[song]), self.task)

    def written(
        self, song: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.uint8]]:
        """A song's chart so far: ticks int64, seconds float64 and codes uint8, ``(N,)`` each."""
        kept = np.flatnonzero(self.chart[song])
        table, episode = self.episodes, self.episode[song]
        return table.ticks[episode, kept], table.times[episode, kept], self.chart[song, kept]

    def results(self) -> dict[str, NDArray[Any]]:
        """Figures of the charts, ``(B,)`` each.

        Returns:
            ``score``, ``f1`` (of times, against the human chart; NaN where there is none),
            ``density_error`` (relative), ``effort`` (of the feet, for 100 rows of the chart),
            ``steps``, ``is_success`` (the level's density, and a score that is high enough) and
            ``problem`` (song and level); for onsets ``bound``, the greatest F1.
        """
        human = self.episodes.human[self.episode]
        length = self.episodes.length[self.episode]
        inside = np.arange(human.shape[1]) < length[:, None]
        wanted = (human == UNKNOWN) | ((human > 0) & (PRESSES[np.maximum(human, 0)] > 0))
        f1 = 2 * self.found / np.maximum(self.pressed + (wanted & inside).sum(axis=1), 1)
        f1 = np.where(human[:, 0] == ABSENT, np.nan, f1)
        by_times = self.task == "placement"
        score = np.nan_to_num(f1) if by_times else self.total / length
        good = score > (SUCCESS_F1 if by_times else 0.0)
        names = [self.episodes.named(k) for k in self.episode.tolist()]
        bound = {"bound": np.ones(self.batch)} if by_times else {}
        return {
            "score": score,
            "f1": f1,
            "density_error": self.error.copy(),
            "effort": 100.0 * self.effort / np.maximum(self.pressed, 1),
            "steps": self.pressed.astype(np.float64),
            "is_success": good & (self.error <= SUCCESS_DENSITY_ERROR),
            "problem": np.array(["{song}, {level}".format(**name) for name in names], object),
            **bound,
        }


def stance_flags(stance: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The stance of each foot, one of nine, and the foot that stepped last, bool ``(B, 20)``.

    Args:
        stance: uint8 ``(B, 3)``, see :attr:`FootTracker.stance`.
    """
    kinds = np.array(STANCES)
    feet = [stance[:, foot, None] == kinds for foot in range(2)]
    last = stance[:, 2, None] == np.array([LEFT_FOOT, RIGHT_FOOT])
    return np.concatenate([*feet, last], axis=1)


def _bits(flags: Songs) -> NDArray[np.int64]:
    """Flags ``(..., 4)`` as numbers, the first flag the lowest bit."""
    return np.asarray((flags * (1 << np.arange(flags.shape[-1]))).sum(axis=-1))
