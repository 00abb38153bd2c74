"""Checkpoints of the RLlib engine: one file of tensors, numbers and names, without code.

RLlib's own checkpoints are pickles, which run whatever they hold when they are opened. Here the
networks are described by names of a table and rebuilt, and their tensors are read
(``weights_only``). ``gymworks convert --trust`` makes such a file of an older checkpoint.
"""

import io
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
import tree
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.sac import SACConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME
from ray.rllib.utils.metrics.metrics_logger import MetricsLogger

from agents.engines.rllib_config import module_class
from agents.runs import Run, UnreadableCheckpointError
from agents.tables import networks
from hardware_sim.errors import InputError
from hardware_sim.naming import check_listed, permit

SUFFIX = ".pt"
LEARNER, MODULES, OPTIMISERS = "learner", "rl_module", "optimizer"
"""RLlib's names of the parts of its state."""

KINDS = {"step": int, "algo": str, "network": dict, "modules": dict, OPTIMISERS: dict}
DESCRIBED = {"extractor", "network", "features_dim", "hidden"}
WIDEST = 2**14


def describe(model: dict[str, Any]) -> dict[str, Any]:
    """A run's settings of its networks, in the form of a checkpoint."""
    return {name: model[name] for name in sorted(DESCRIBED)}


def save(algorithm: Algorithm, run: Run, step: int, algo: str, model: dict[str, Any]) -> None:
    """Writes a checkpoint, whole or not at all.

    Args:
        algorithm: What is trained.
        run: Gets the file.
        step: Steps behind it.
        algo: Name of the algorithm.
        model: Settings of the networks.

    Raises:
        InputError: The disk is full or the folder cannot be written.
    """
    state = algorithm.learner_group.get_state()[LEARNER]
    write(run, step, algo, describe(model), state[MODULES], state[OPTIMISERS])


def write(
    run: Run,
    step: int,
    algo: str,
    network: dict[str, Any],
    modules: dict[str, Any],
    optimisers: dict[str, Any],
) -> Path:
    """Writes a checkpoint of given parts.

    Args:
        run: Gets the file.
        step: Steps behind it.
        algo: Name of the algorithm.
        network: See :func:`describe`.
        modules: State of each policy's module by name, arrays.
        optimisers: RLlib's state of the optimisers.

    Raises:
        InputError: The disk is full or the folder cannot be written.
    """
    content = {"step": step, "algo": algo, "network": network}
    content |= _plain({"modules": modules, OPTIMISERS: optimisers})
    # Into memory first: on a full disk torch's own writer ends the process.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return run.write_checkpoint(step, SUFFIX, buffer.getvalue())


def _plain(value: Any) -> Any:
    """Arrays as tensors and numpy's numbers as Python's."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.array(value))
    return value.item() if isinstance(value, np.generic) else value


def read(path: Path) -> dict[str, Any]:
    """The content of a checkpoint.

    Returns:
        ``step``, ``algo``, ``network`` (see :func:`describe`), ``modules`` (tensors by policy and
        name) and ``optimizer``.

    Raises:
        UnreadableCheckpointError: It is truncated or not a checkpoint of this engine.
        InputError: It is RLlib's own, or describes networks that are in no table.
    """
    if path.is_dir():
        raise InputError(
            f"{path} is a pickle of RLlib, and opening it runs what it holds; if you trust it, "
            f"gymworks convert --trust {path.parent.parent}"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError, ValueError) as error:
        raise UnreadableCheckpointError(str(error).partition("\n")[0] or "empty") from error
    if not isinstance(content, dict) or not _fits(content):
        raise UnreadableCheckpointError("not a checkpoint of engine rllib")
    check_network(content["network"])
    return content


def _fits(content: dict[str, Any]) -> bool:
    return (
        content.keys() == KINDS.keys()
        and all(isinstance(content[name], kind) for name, kind in KINDS.items())
        and all(isinstance(state, dict) for state in content["modules"].values())
        and all(
            isinstance(value, torch.Tensor)
            for state in content["modules"].values()
            for value in state.values()
        )
    )


def check_network(network: dict[str, Any]) -> None:
    """Checks the settings of networks, wherever they come from.

    Raises:
        InputError: A setting is missing, unknown or of another kind, or a name is in no table.
    """
    if network.keys() != DESCRIBED:
        raise InputError(f"networks are described by {', '.join(sorted(DESCRIBED))}")
    for kind in ("extractor", "network"):
        if network[kind] is not None:
            check_listed(network[kind], kind, networks())
    hidden = network["hidden"]
    widths = [network["features_dim"], *(hidden if isinstance(hidden, list) else ["none"])]
    if not all(type(width) is int and 0 < width <= WIDEST for width in widths):
        raise InputError(f"widths of networks are {widths}; allowed: 1 to {WIDEST}")


def restore(algorithm: Algorithm, content: dict[str, Any]) -> None:
    """Puts weights, optimisers and the number of steps of a checkpoint into an algorithm.

    Raises:
        InputError: The checkpoint does not fit the algorithm.
    """
    present = algorithm.learner_group.get_state()[LEARNER]
    for policy, state in present[MODULES].items():
        _check_tensors(content["modules"].get(policy, {}), state)
    numbers = {
        MODULES: tree.map_structure(_array, content["modules"]),
        OPTIMISERS: tree.map_structure(_array, content[OPTIMISERS]),
    }
    try:
        algorithm.learner_group.set_state({LEARNER: numbers})
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"the checkpoint does not fit: {error!r}") from error
    if algorithm.env_runner_group is not None:
        algorithm.env_runner_group.sync_weights(
            from_worker_or_learner_group=algorithm.learner_group, inference_only=True
        )
        _count(algorithm, content["step"])


def _count(algorithm: Algorithm, step: int) -> None:
    """Lets schedules of exploration and learning rates go on from a step."""
    sampled = MetricsLogger()
    sampled.log_value(
        NUM_ENV_STEPS_SAMPLED_LIFETIME, step, reduce="lifetime_sum", with_throughput=True
    )
    algorithm.metrics.aggregate([sampled.reduce()], key=ENV_RUNNER_RESULTS)
    algorithm.env_runner_group.foreach_env_runner(partial(_begin, step=step))


def _begin(runner: Any, step: int) -> None:
    runner.set_state({NUM_ENV_STEPS_SAMPLED_LIFETIME: step})


def _array(value: Any) -> Any:
    return value.numpy() if isinstance(value, torch.Tensor) else value


def _check_tensors(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raises an InputError unless all that is wanted is there, in its shape."""
    for name, value in wanted.items():
        shape = tuple(found[name].shape) if name in found else None
        if shape != tuple(value.shape):
            raise InputError(
                f"the checkpoint does not fit: {name} has shape {shape}, not {tuple(value.shape)}"
            )


def rebuild(
    content: dict[str, Any],
    policy: str,
    observation_space: gym.Space[Any],
    action_space: gym.Space[Any],
) -> Any:
    """The module of a policy, ready to act.

    Args:
        content: A checkpoint, see :func:`read`.
        policy: Name of the policy.
        observation_space: Of the environment that it acts in.
        action_space: Likewise.

    Raises:
        InputError: It was trained for other spaces, or there is no such policy.
    """
    algo, state = content["algo"], content["modules"].get(policy, {})
    if algo == "sac":
        build = SACConfig().get_default_rl_module_spec().module_class
        model: dict[str, Any] = SACConfig().model_config
        if isinstance(observation_space, gym.spaces.Dict):
            observation_space = gym.spaces.utils.flatten_space(observation_space)
    else:
        build = module_class(algo, content["network"]["network"])
        model = content["network"] | {"weights": None, "epsilon": 0.0}
    spec = RLModuleSpec(
        module_class=build,
        observation_space=observation_space,
        action_space=action_space,
        inference_only=True,
        model_config=model,
    )
    module = spec.build()
    _check_tensors(state, module.state_dict())
    module.load_state_dict({name: state[name] for name in module.state_dict()})
    return module.eval()


def convert(run: Run, network: dict[str, Any]) -> list[Path]:
    """Makes checkpoints of this form of RLlib's own, whose pickles it opens.

    What it has read goes into the run's folder ``pickles``.

    Args:
        run: A run with older checkpoints.
        network: See :func:`describe`.

    Returns:
        The new files.

    Raises:
        InputError: Opening pickles is not trusted, or a checkpoint is truncated or something else.
    """
    made = []
    for folder in [path for path in run.checkpoints() if path.is_dir()]:
        permit(f"the pickles in {folder}", "run whatever they hold when they are opened")
        learner = folder / "learner_group" / LEARNER
        try:
            modules = {
                path.parent.name: pickle.loads(path.read_bytes())
                for path in sorted(learner.glob(f"{MODULES}/*/module_state.pkl"))
            }
            state = pickle.loads((learner / "state.pkl").read_bytes())
            optimisers = state.get(OPTIMISERS, {})
            step = Run.checkpoint_step(folder)
            made.append(write(run, step, run.config["algo"], network, modules, optimisers))
            read(made[-1])
        except (AttributeError, KeyError, ValueError, EOFError, OSError) as error:
            raise InputError(f"{folder} cannot be read: {error!r}") from error
        except (pickle.UnpicklingError, UnreadableCheckpointError) as error:
            raise InputError(f"{folder} is no checkpoint of RLlib's: {error}") from error
        kept = run.folder / "pickles" / folder.name
        kept.parent.mkdir(exist_ok=True)
        folder.rename(kept)
    return made
