"""Actions as JSON: results keep them, and agents in other processes send them."""

from typing import Any

import gymnasium as gym
import numpy as np

from hardware_sim.errors import InputError

COMPOSITE = (gym.spaces.Dict, gym.spaces.Tuple)


def encode_action(space: gym.Space[Any], action: Any) -> Any:
    """An action as JSON: an integer, a list, or what the space makes of it.

    Raises:
        InputError: The action does not belong to the space.
    """
    if isinstance(action, np.integer | np.ndarray) and action.dtype.kind in "iu":
        encoded = action.tolist()
        if _counts(space, encoded):
            return encoded
    try:
        if isinstance(space, gym.spaces.Discrete):
            array = np.asarray(action)
            if array.size != 1 or array.dtype.kind not in "iu":  # int() would round the others
                raise ValueError
            action = array.item()
        elif isinstance(space, gym.spaces.Box):
            action = np.asarray(action, dtype=space.dtype)
        encoded = _to_json(space, action)
        decode_action(space, encoded)
    except (TypeError, ValueError, LookupError, AttributeError):
        raise InputError(f"action {action!r} does not belong to {space}") from None
    return encoded


def decode_action(space: gym.Space[Any], encoded: Any) -> Any:
    """The inverse of :func:`encode_action`.

    Raises:
        InputError: It encodes no action of the space.
    """
    if _counts(space, encoded):
        return space.from_jsonable([encoded])[0]
    try:
        action = space.from_jsonable(encoded if isinstance(space, COMPOSITE) else [encoded])[0]
        # Coming back as it was, for spaces convert what is not theirs (1.7 to 1).
        if space.contains(action) and _to_json(space, action) == encoded:
            return action
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError):
        pass
    raise InputError(f"action {encoded!r} does not belong to {space}")


def _to_json(space: gym.Space[Any], action: Any) -> Any:
    """A batch of one as the space makes it; composite spaces have the batch inside."""
    batch = space.to_jsonable([action])
    return batch if isinstance(space, COMPOSITE) else batch[0]


def _counts(space: gym.Space[Any], encoded: Any) -> bool:
    """True for integers of a discrete space, most actions by far; the rest take the longer way."""
    if isinstance(space, gym.spaces.Discrete):
        return type(encoded) is int and 0 <= encoded - int(space.start) < int(space.n)
    if not isinstance(space, gym.spaces.MultiDiscrete) or type(encoded) is not list:
        return False
    starts, sizes = space.start.tolist(), space.nvec.tolist()
    return len(encoded) == len(sizes) and all(
        type(number) is type(size) is int and 0 <= number - start < size
        for number, start, size in zip(encoded, starts, sizes, strict=True)
    )
