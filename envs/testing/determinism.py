"""The same seed and actions give the same trajectory, wherever and however it is run."""

import pickle

from envs.testing.replay import ReplayError, rollouts
from envs.testing.subject import Subject, Target, require
from envs.testing.trajectory import (
    difference,
    digest,
    first_difference,
    reset_record,
    rollout,
    walk,
)

HASH_SEEDS = ("1", "2")


def check_determinism_across_processes(
    target: Target, steps: int = 1_000, seed: int = 0, timeout_s: float = 300
) -> str:
    """Two processes with different ``PYTHONHASHSEED`` go through the same trajectory, exactly.

    Actions are random and legal, from a seeded generator. Compared are observations, rewards,
    flags, infos and the sampled actions themselves: ``spaces.Text`` without an explicit charset
    samples differently in each process.

    Args:
        target: An id or a factory.
        steps: Length of the rollout.
        seed: Seed of the first reset and the actions.
        timeout_s: Seconds that the processes may take; they are kept for the next environment.

    Returns:
        What was compared, with the digest of the trajectory.

    Raises:
        AssertionError: The trajectories differ, or a process cannot make or step the environment.
    """
    subject = Subject.of(target)
    try:
        left, right = rollouts(subject, seed, steps, HASH_SEEDS, timeout_s)
    except ReplayError as error:
        raise AssertionError(
            f"{subject.name}: expected another process to make and step it; it ended with: {error}"
        ) from error
    found = first_difference(left, right)
    require(
        found is None,
        subject.name,
        f"expected one trajectory in every process for seed {seed} and the same actions; with "
        f"PYTHONHASHSEED {' and '.join(HASH_SEEDS)} they differ at {found}",
    )
    return f"{steps} steps equal in 2 processes, digest {digest(left)}"


def check_pickle(target: Target, steps: int = 50, seed: int = 0) -> str:
    """A pickled environment gives the same reset and steps as the original.

    Raises:
        AssertionError: It cannot be pickled, or its copy behaves otherwise.
    """
    subject = Subject.of(target)
    env = subject.make()
    try:
        copy = pickle.loads(pickle.dumps(env))
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        env.close()
        raise AssertionError(f"{subject.name}: expected it to be pickled; saw: {error}") from error
    found = first_difference(rollout(env, seed, steps), rollout(copy, seed, steps))
    env.close()
    copy.close()
    require(
        found is None,
        subject.name,
        f"expected a pickled copy to go the same way; they differ at {found}",
    )
    return f"{steps} steps equal"


def check_returned_data(target: Target, steps: int = 50, seed: int = 0) -> str:
    """Data that ``reset`` and ``step`` return is the caller's: later steps do not change it.

    Raises:
        AssertionError: An observation or info changed after it had been returned.
    """
    subject = Subject.of(target)
    env = subject.make()
    moments = list(walk(env, seed, steps))
    env.close()
    for i, moment in enumerate(moments):
        now = reset_record(moment.observation, moment.info)
        found = difference({path: moment.record[path] for path in now}, now)
        require(
            found is None,
            subject.name,
            f"expected what was returned to stay as it was; later steps changed record {i}: "
            f"{found}",
        )
    return f"{len(moments)} observations and infos unchanged"
