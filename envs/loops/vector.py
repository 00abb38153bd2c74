"""The natively vectorised loop scheduling environment."""

from envs.loops.batch import LoopBatch
from envs.loops.env import LoopScheduleEnv
from envs.rows import RowsEnv


class LoopScheduleVectorEnv(RowsEnv[LoopBatch]):
    """``num_envs`` nests; see :class:`RowsEnv` and :class:`LoopScheduleEnv`."""

    single = LoopScheduleEnv
    make_core = LoopBatch
