"""The natively vectorised device placement environment."""

from envs.placement.batch import PlacementBatch
from envs.placement.env import DevicePlacementEnv
from envs.rows import RowsEnv


class DevicePlacementVectorEnv(RowsEnv[PlacementBatch]):
    """``num_envs`` placements; see :class:`RowsEnv` and :class:`DevicePlacementEnv`."""

    single = DevicePlacementEnv
    make_core = PlacementBatch
