"""A rollout in a process of its own: ``python -m envs.testing.replay TARGET SEED STEPS OUTPUT``."""

import json
import sys
from pathlib import Path

from envs.testing.subject import Subject
from envs.testing.trajectory import rollout


def main(target: str, seed: str, steps: str, output: str) -> None:
    """Rolls out the target in a file and writes the records to another as JSON."""
    env = Subject.make_from_bytes(Path(target).read_bytes())
    records = rollout(env, int(seed), int(steps))
    env.close()
    Path(output).write_text(json.dumps(records))


if __name__ == "__main__":
    main(*sys.argv[1:])
