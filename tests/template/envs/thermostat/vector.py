"""Many rooms at once."""

from envs.thermostat.core import RoomBatch
from envs.thermostat.env import ThermostatEnv

from envs.rows import RowsEnv


class ThermostatVectorEnv(RowsEnv[RoomBatch]):
    """``num_envs`` rooms; see :class:`RowsEnv` and :class:`ThermostatEnv`."""

    single = ThermostatEnv
    make_core = RoomBatch
