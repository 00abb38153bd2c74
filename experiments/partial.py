"""Episodes of an evaluation that is not complete, in a file of their own beside its result."""

import json
from pathlib import Path
from typing import Any

from agents.engines.base import qualified
from agents.provenance import provenance
from agents.runs import Run
from experiments.seeds import Seeds
from hardware_sim.errors import InputError
from hardware_sim.files import write_text, writing
from hardware_sim.reading import parse_json, read_lines

SUFFIX = ".partial"
"""Of the file's name, after that of the result."""

MARK = "partial evaluation"

Head = dict[str, Any]


def head_of(
    env_id: str, agent: str, seeds: Seeds, env_kwargs: dict[str, Any], in_process: bool
) -> Head:
    """All that must be the same where an evaluation goes on; of a run, also its checkpoints."""
    trained = [path.name for path in Run(agent).checkpoints()] if Path(agent).is_dir() else []
    origin = provenance()
    return {
        "env_id": qualified(env_id),
        "env_kwargs": env_kwargs,
        "seeds": seeds.to_json(),
        "agent": agent,
        "checkpoints": trained,
        "in_process": in_process,
        "versions": origin["versions"],
        "git": origin["git"],
    }


class Partial:
    """The episodes of an evaluation that have ended, appended to ``RESULT.partial`` one by one.

    The file holds a JSON line for the evaluation and one for each episode, so that whatever ends
    the process, all but the episode in play are kept. No reader takes it for a result.

    Args:
        result: The path of the result file.
        head: The evaluation, by name; JSON-serialisable.
        number: Episodes of the whole evaluation.
        resume: Continue the file, if there is one.
        force: Replace it.

    Attributes:
        path: The file, which the first episode that is added makes.
        episodes: The episodes in it.
        number: Episodes of the whole evaluation.
        spent: The evaluations that a planner counted in each of them.

    Raises:
        InputError: There is a file and neither of the two is set, or it is of another evaluation.
    """

    def __init__(
        self, result: Path, head: Head, number: int, resume: bool = False, force: bool = False
    ) -> None:
        self.number = number
        self.path = result.with_name(result.name + SUFFIX)
        self.episodes: list[dict[str, Any]] = []
        self.spent: list[int] = []
        self._head: Head = json.loads(
            json.dumps({"gymworks": MARK, "episodes": number, "of": head})
        )
        self._begun = False
        if not self.path.exists():
            return
        if resume:
            self._read()
        elif not force:
            raise InputError(f"{described(self.path)}; --resume goes on, --force begins anew")

    def add(self, episode: dict[str, Any], spent: int) -> None:
        """Keeps an episode.

        Raises:
            InputError: It cannot be written; those before are still there.
        """
        line = json.dumps({"episode": episode, "spent": spent}) + "\n"
        if self._begun:
            with writing(self.path), self.path.open("a") as file:
                file.write(line)
        else:  # whole, for a line that was cut off may stand there
            before = zip(self.episodes, self.spent, strict=True)
            lines = [self._head, *({"episode": each, "spent": count} for each, count in before)]
            write_text(self.path, "".join(json.dumps(each) + "\n" for each in lines) + line)
            self._begun = True
        self.episodes.append(episode)
        self.spent.append(spent)

    def discard(self) -> None:
        """Removes the file, once there is a result."""
        self.path.unlink(missing_ok=True)

    def _read(self) -> None:
        head, lines = _opened(self.path)
        ours, theirs = self._head["of"], head["of"]
        for name in sorted(ours.keys() | theirs.keys()):
            if ours.get(name) != theirs.get(name):
                raise InputError(
                    f"{self.path} is of an evaluation with {name} {theirs.get(name)!r:.200}, not "
                    f"{ours.get(name)!r:.200}; --force begins anew"
                )
        self.episodes = [line["episode"] for line in lines]
        self.spent = [line["spent"] for line in lines]


def kept(partial: Partial | None) -> str:
    """The episodes that are kept, and how to go on."""
    if partial is None or not partial.episodes:
        return "nothing is kept"
    return (
        f"{len(partial.episodes)} of {partial.number} episodes are kept in {partial.path}: the "
        "same command with --resume goes on"
    )


def described(path: Path) -> str:
    """The content of a partial file, for people.

    Raises:
        InputError: It is none.
    """
    head, lines = _opened(path)
    return f"{path} holds {len(lines)} of {head['episodes']} episodes of an unfinished evaluation"


def _opened(path: Path) -> tuple[Head, list[dict[str, Any]]]:
    """The first line of a partial file and the others; one that was cut off does not count."""
    lines = [parse_json(line) for line in read_lines(path) if line.endswith(b"\n")]
    whole = lines and all(isinstance(line, dict) for line in lines)
    head, rest = (lines[0], lines[1:]) if whole else ({}, [])
    right = head.get("gymworks") == MARK and isinstance(head.get("of"), dict)
    if not (right and type(head.get("episodes")) is int and all(map(_is_episode, rest))):
        raise InputError(f"{path} holds no episodes of an unfinished evaluation")
    return head, rest


def _is_episode(line: dict[str, Any]) -> bool:
    return isinstance(line.get("episode"), dict) and type(line.get("spent")) is int
