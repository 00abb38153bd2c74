"""The episodes that agents are judged on: lists of seeds, and seeds drawn from a judge's secret."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from agents.engines.base import settings
from envs.registration import find, is_ours
from hardware_sim.errors import InputError

SHORTEST_SECRET = 16
DRAWN_SEEDS = 5


@dataclass(frozen=True)
class Seeds:
    """Seeds, the episodes of each, and the options of their resets.

    Attributes:
        seeds: Non-negative and different from each other.
        name: The list of the id's domain that they are; ``None`` for any others.
        commitment: SHA-256 that a judge's secret commits to, where they are drawn from one.
        episodes: Episodes of each seed, see :func:`episode_seed`.
        options: Options of every reset; JSON-serialisable.

    Raises:
        InputError: Seeds or episodes are not as above.
    """

    seeds: tuple[int, ...]
    name: str | None = None
    commitment: str | None = None
    episodes: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.seeds or min(self.seeds) < 0 or len(set(self.seeds)) < len(self.seeds):
            raise InputError(
                f"seeds are {list(self.seeds)}; allowed: different integers from 0 up, at least one"
            )
        if self.episodes < 1:
            raise InputError(f"episodes is {self.episodes}; allowed: at least 1")

    def __len__(self) -> int:
        return len(self.seeds) * self.episodes

    def __iter__(self) -> Any:
        """The seed and number of each episode, in the order of play."""
        return ((seed, number) for seed in self.seeds for number in range(self.episodes))

    def to_json(self) -> dict[str, Any]:
        """The attributes as JSON-serialisable values."""
        return {**asdict(self), "seeds": list(self.seeds), "options": dict(self.options)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Seeds":
        """The inverse of :meth:`to_json`.

        Raises:
            InputError: A key is missing or unknown, or a value is not as above.
        """
        try:
            found = cls(**{**values, "seeds": tuple(values["seeds"])})
            right = all(type(each) is int for each in (*found.seeds, found.episodes))
            right = right and isinstance(found.options, dict)
        except (TypeError, KeyError):
            right = False
        if not right:
            raise InputError(f"seeds are not described by {values!r}")
        return found


def split_options(env_id: str, name: str) -> dict[str, Any]:
    """The options of resets that go with a named list of seeds.

    The list of an id that has splits is played on the split of its name; one without a split of
    its name (``"validation"``) on the training split.
    """
    splits = find(env_id).splits if is_ours(env_id) else ()
    if not splits:
        return {}
    return {"split": name if name in splits else "train"}


def named(env_id: str, name: str, episodes: int = 1) -> Seeds:
    """A list of the id's domain with its split.

    Raises:
        InputError: There is no such list, or ``episodes`` is below 1.
    """
    lists: dict[str, list[int]] = settings(env_id)["seeds"]
    if name not in lists:
        raise InputError(f"there are no seeds {name!r}; allowed: {', '.join(lists)}")
    return Seeds(tuple(lists[name]), name, None, episodes, split_options(env_id, name))


def parse(
    env_id: str, text: str, episodes: int = 1, options: Mapping[str, Any] | None = None
) -> Seeds:
    """``"test"``, ``"validation"``, ``"train"`` (lists fixed by the id's domain) or ``"0,1,2"``.

    Args:
        env_id: Any id that Gymnasium knows.
        text: The text.
        episodes: Episodes of each seed.
        options: Options of resets, over those of the list.

    Raises:
        InputError: It is none of them, or ``episodes`` is below 1.
    """
    lists = settings(env_id)["seeds"]
    if text in lists:
        found = named(env_id, text, episodes)
        merged = {**found.options, **(options or {})}
        same = merged == found.options
        return Seeds(found.seeds, text if same else None, None, episodes, merged)
    try:
        seeds = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"seeds are {text!r}; allowed: {', '.join(lists)}, or integers such as 0,1,2"
        ) from None
    return Seeds(seeds, None, None, episodes, options or {})


def drawn(env_id: str, secret: str, count: int = DRAWN_SEEDS, episodes: int = 1) -> Seeds:
    """Seeds that nobody can know without a secret, on the test split.

    Each is the start of an HMAC-SHA-256 of id and number under the secret, so that nobody can
    search them beforehand; the commitment binds the judge to the secret without giving it away.

    Args:
        env_id: Any id that Gymnasium knows.
        secret: At least :data:`SHORTEST_SECRET` characters that cannot be guessed, such as
            ``python -c "import secrets; print(secrets.token_hex())"`` prints.
        count: Number of seeds.
        episodes: Episodes of each.

    Returns:
        Seeds in [2**31, 2**32), where no list has any and no training episode draws one.

    Raises:
        InputError: The secret is too short, or a number is below 1.
    """
    if len(secret) < SHORTEST_SECRET:
        raise InputError(
            f"the secret has {len(secret)} characters; allowed: at least {SHORTEST_SECRET}, "
            "which nobody can guess"
        )
    if count < 1:
        raise InputError(f"the number of drawn seeds is {count}; allowed: at least 1")
    key = secret.encode()
    name = env_id.removeprefix("envs:")
    seeds: dict[int, None] = {}
    number = 0
    while len(seeds) < count:
        digest = hmac.digest(key, f"seed {number} of {name}".encode(), "sha256")
        seeds[2**31 + int.from_bytes(digest[:4]) % 2**31] = None
        number += 1
    commitment = hashlib.sha256(b"gymworks draw\0" + key).hexdigest()
    return Seeds(tuple(seeds), None, commitment, episodes, split_options(env_id, "test"))


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
