"""The conformance kit: what every environment here keeps, as checks that anybody can call.

::

    from envs.testing import check

    check("my_package:MyEnv-v0")          # an id, or any callable that makes the environment
    check(MyEnv, skip=["check_info_contract"])
    check("my_package:MyEnv-v0", oracle=MyOracle)  # which has to reach the reference or the bound

Each check takes an id or a factory, returns one line with what it saw, and raises
``AssertionError`` with a sentence that names the environment, what was expected and what was seen.
"""

from collections.abc import Callable, Collection
from functools import partial

import gymnasium as gym

from envs.testing.actions import check_bad_actions, check_info_contract, check_masks
from envs.testing.determinism import (
    check_determinism_across_processes,
    check_pickle,
    check_returned_data,
)
from envs.testing.interface import (
    check_bad_arguments,
    check_gymnasium,
    check_render_modes,
    check_spec_json,
)
from envs.testing.resources import check_close, check_long_rollout_memory
from envs.testing.scores import Oracle, check_judge, check_naive_play, check_oracle
from envs.testing.subject import Subject, Target
from envs.testing.vector import check_vector_equals_single
from hardware_sim.errors import choose

CHECKS: dict[str, Callable[[Target], str]] = {
    function.__name__: function
    for function in (
        check_gymnasium,
        check_spec_json,
        check_bad_arguments,
        check_determinism_across_processes,
        check_pickle,
        check_returned_data,
        check_masks,
        check_bad_actions,
        check_info_contract,
        check_naive_play,
        check_judge,
        check_render_modes,
        check_vector_equals_single,
        check_long_rollout_memory,
        check_close,
    )
}
"""Every check by name, in the order in which :func:`check` runs them."""


def check(
    target: Target, skip: Collection[str] = (), oracle: Oracle | None = None
) -> dict[str, str]:
    """Runs every check on an environment.

    Args:
        target: An id such as ``"module:Name-v0"``, or a callable that makes the environment and
            passes keyword arguments on.
        skip: Names of checks to leave out.
        oracle: Makes a player that knows the answer from the environment; :func:`check_oracle`
            runs with it.

    Returns:
        The line of each check, by name.

    Raises:
        AssertionError: One or more checks failed; the message has one sentence for each.
        gymnasium.error.Error: The id is not registered.
        InputError: ``skip`` names no check.
    """
    for name in skip:
        choose("check", name, list(CHECKS))
    Subject.of(target)
    seen, failures = {}, []
    checks: dict[str, Callable[[Target], str]] = dict(CHECKS)
    if oracle is not None:
        checks["check_oracle"] = partial(check_oracle, oracle=oracle)
    for name, function in checks.items():
        if name in skip:
            continue
        try:
            seen[name] = function(target)
        except (AssertionError, gym.error.DependencyNotInstalled) as failure:
            failures.append(f"{name}: {failure}")
    if failures:
        raise AssertionError("\n".join(failures))
    return seen


__all__ = ["CHECKS", "Oracle", "Target", "check", "check_oracle", *CHECKS]
