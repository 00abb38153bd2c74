"""The natively vectorised dance environment."""

from envs.dance.batch import DanceBatch
from envs.dance.env import DanceEnv
from envs.rows import RowsEnv


class DanceVectorEnv(RowsEnv[DanceBatch]):
    """``num_envs`` songs; see :class:`RowsEnv` and :class:`DanceEnv`."""

    single = DanceEnv
    make_core = DanceBatch
