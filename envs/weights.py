"""Parameters of networks in files that hold nothing but numbers."""

from importlib.resources import files
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from hardware_sim.errors import InputError
from hardware_sim.files import write_atomic


def shipped(package: str, name: str) -> Path:
    """The path of weights that a package ships, as ``shipped("envs.dance", "dance-rows")``."""
    return Path(str(files(package).joinpath(f"{name}.safetensors")))


def load_weights(network: nn.Module, path: str | Path) -> None:
    """Sets a network's parameters.

    Args:
        network: The network to set, in its own precision.
        path: A safetensors file.

    Raises:
        InputError: There is no such file, it is damaged, or it is another network's.
    """
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"weights {path} cannot be read: {error}") from error
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).splitlines()[1].strip()
        raise InputError(f"weights {path} are another network's: {reason}") from error


def save_weights(network: nn.Module, path: str | Path) -> None:
    """Writes a network's parameters in half precision, to a safetensors file, atomically."""
    state = {name: part.detach().half().contiguous() for name, part in network.state_dict().items()}
    data = save(state)
    write_atomic(Path(path), lambda file: file.write(data))
