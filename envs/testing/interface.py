"""Gymnasium's own checks, and checks of what people read: specs, pictures, errors."""

import inspect
import warnings
from collections.abc import Collection
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

from envs.testing.subject import LegalActions, Subject, Target, current_mask, is_legal, require
from envs.testing.trajectory import first_difference, rollout, walk

ALLOWED_WARNINGS = (
    "minimum value is -infinity",
    "maximum value is infinity",
    "we recommend using a symmetric and normalized space",
)
"""Gymnasium's advice that a real quantity may have to ignore; any other warning fails."""

CLEAR_ERRORS = (ValueError, AssertionError, gym.error.Error)
"""Errors that blame the caller; any other type counts as a crash."""


def check_gymnasium(target: Target) -> str:
    """Gymnasium's own ``check_env`` passes without a warning; pictures have a check of their own.

    Warnings in :data:`ALLOWED_WARNINGS` are let through.

    Raises:
        AssertionError: ``check_env`` fails or warns.
    """
    subject = Subject.of(target)
    env = subject.make()
    _step_legally(env.unwrapped)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            check_env(env.unwrapped, skip_render_check=True)
        except (TypeError, AttributeError, *CLEAR_ERRORS) as error:
            raise AssertionError(f"{subject.name}: gymnasium's check_env fails: {error}") from error
        finally:
            env.close()
    texts = [str(warning.message) for warning in caught]
    bad = [text for text in texts if not any(part in text for part in ALLOWED_WARNINGS)]
    require(
        not bad,
        subject.name,
        f"expected gymnasium's check_env not to warn; saw: {'; '.join(bad)}",
    )
    return f"check_env of gymnasium {gym.__version__}"


def _step_legally(env: gym.Env[Any, Any]) -> None:
    """Turns masked-out actions into legal ones: ``check_env`` does not know masks."""
    if not env.has_wrapper_attr("action_masks"):
        return
    step = env.step

    def masked_step(action: Any) -> Any:
        mask = current_mask(env, None)
        if mask is not None and not is_legal(env.action_space, mask, action):
            # Drawn afresh, so that the same state and action always become the same legal one.
            action = LegalActions(env.action_space, 0)(mask)
        return step(action)

    vars(env)["step"] = masked_step


def check_spec_json(target: Target, steps: int = 20, seed: int = 0) -> str:
    """The spec survives ``to_json`` and makes an environment that goes the same way.

    Raises:
        AssertionError: The spec is no JSON (a callable entry point), or what it makes differs.
    """
    subject = Subject.of(target)
    spec = subject.spec()
    if spec is None:
        return "not applicable: made without a spec"
    try:
        text = spec.to_json()
    except (ValueError, TypeError) as error:
        raise AssertionError(
            f"{subject.name}: expected its spec to become JSON (entry points as strings, plain "
            f"keyword arguments); saw: {error}"
        ) from error
    restored = EnvSpec.from_json(text)
    require(
        restored.to_json() == text,
        subject.name,
        f"expected the spec to survive to_json; {text} came back as {restored.to_json()}",
    )
    original, copy = subject.make(), gym.make(restored, disable_env_checker=True)
    found = first_difference(rollout(original, seed, steps), rollout(copy, seed, steps))
    original.close()
    copy.close()
    require(
        found is None,
        subject.name,
        f"expected the environment made from the spec's JSON to go the same way; they differ at "
        f"{found}",
    )
    return f"{len(text)} characters"


def check_render_modes(target: Target, steps: int = 5, seed: int = 0) -> str:
    """Every declared render mode gives what it promises, and looking changes nothing.

    ``rgb_array`` must be among them and give pictures, uint8 ``(height, width, 3)``, that are not
    of one colour; ``ansi`` gives text; a ``_list`` mode gives a list. ``human`` needs a screen
    and is left out. A rendered episode equals one that is not.

    Raises:
        AssertionError: A mode is missing, gives something else, or changes the trajectory.
    """
    subject = Subject.of(target)
    env = subject.make()
    modes = list(env.metadata.get("render_modes", ()))
    plain = rollout(env, seed, steps)
    env.close()
    require(
        "rgb_array" in modes,
        subject.name,
        f"expected 'rgb_array' among metadata['render_modes']; saw {modes}",
    )
    for mode in modes:
        if mode == "human":
            continue
        env = subject.make(render_mode=mode)
        require(
            env.render_mode == mode,
            subject.name,
            f"expected render_mode {mode!r} after make(render_mode={mode!r}); "
            f"saw {env.render_mode!r}",
        )
        watched = []
        for moment in walk(env, seed, steps):
            watched.append(moment.record)
            _check_frame(subject.name, mode, env.render())
        env.close()
        found = first_difference(plain, watched)
        require(
            found is None,
            subject.name,
            f"expected rendering as {mode!r} to change nothing; it does at {found}",
        )
    return ", ".join(modes)


def _check_frame(name: str, mode: str, frame: Any) -> None:
    """Fails unless a frame is what its mode promises."""
    if mode.endswith("_list"):
        require(
            isinstance(frame, list),
            name,
            f"expected a list of frames from render mode {mode!r}; saw {type(frame).__name__}",
        )
        for single in frame:
            _check_frame(name, mode.removesuffix("_list"), single)
    elif mode == "rgb_array":
        shape, dtype = getattr(frame, "shape", None), getattr(frame, "dtype", None)
        require(
            isinstance(frame, np.ndarray) and frame.ndim == 3 and frame.shape[2] == 3,
            name,
            f"expected rgb_array to be (height, width, 3); saw {type(frame).__name__} of "
            f"shape {shape}",
        )
        require(dtype == np.uint8, name, f"expected rgb_array to be uint8; saw {dtype}")
        require(frame.min() < frame.max(), name, f"expected a picture; saw one grey level, {shape}")
    elif mode == "ansi":
        require(
            isinstance(frame, str) and frame.strip(),
            name,
            f"expected ansi to be text; saw {frame!r}",
        )


def check_bad_arguments(target: Target, free_text: Collection[str] = ()) -> str:
    """Bad constructor arguments raise at construction, naming what was wrong and what is allowed.

    Tried are an unknown keyword, an unknown ``render_mode``, and an unknown value for each
    argument that is a string or a list of strings by default or in the spec.

    Args:
        target: An id or a factory.
        free_text: Arguments that may be any text.

    Raises:
        AssertionError: An argument is taken, or the message does not name the bad value (or, for
            ``render_mode``, an allowed one).
    """
    subject = Subject.of(target)
    spec = subject.spec()
    parameters = inspect.signature(subject.constructor()).parameters
    tried = []
    if parameters:
        _refused(subject, {"no_such_argument": 1}, ("no_such_argument",), (TypeError,))
        tried.append("no_such_argument")
    for name, parameter in parameters.items():
        value = (spec.kwargs if spec else {}).get(name, parameter.default)
        bad = f"no-such-{name.replace('_', '-')}"
        if name == "render_mode":
            env = subject.make()
            modes = env.metadata.get("render_modes", [])
            env.close()
            _refused(subject, {name: bad}, (bad, *modes[:1]))
        elif name in free_text:
            continue
        elif isinstance(value, str):
            _refused(subject, {name: bad}, (bad,))
        elif isinstance(value, list | tuple) and value and isinstance(value[0], str):
            _refused(subject, {name: [bad]}, (bad,))
        else:
            continue
        tried.append(name)
    return ", ".join(tried) or "not applicable: takes no arguments"


def _refused(
    subject: Subject,
    arguments: dict[str, Any],
    words: tuple[str, ...],
    errors: tuple[type[Exception], ...] = (ValueError, gym.error.Error),
) -> None:
    """Fails unless construction raises one of the errors with all the words in its message."""
    shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            env = subject.make(**arguments)
    except errors as error:
        missing = [word for word in words if word not in str(error)]
        require(
            not missing,
            subject.name,
            f"expected the error for {shown} to name {' and '.join(missing)}; saw: {error}",
        )
        return
    except (TypeError, LookupError, AttributeError, AssertionError, OSError) as error:
        raise AssertionError(
            f"{subject.name}: expected {errors[0].__name__} for {shown}; "
            f"saw {type(error).__name__}: {error}"
        ) from error
    env.close()
    raise AssertionError(f"{subject.name}: expected {shown} to raise at construction; it was taken")
