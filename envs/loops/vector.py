"""The natively vectorised loop scheduling environment."""

from typing import Any

from envs.loops.batch import LoopBatch
from envs.loops.env import LoopScheduleEnv
from envs.rows import RowsEnv


class LoopScheduleVectorEnv(RowsEnv[LoopBatch]):
    """``num_envs`` nests; see :class:`RowsEnv` and :class:`LoopScheduleEnv`."""

    single = LoopScheduleEnv
    make_core = LoopBatch

    def close_extras(self, **kwargs: Any) -> None:
        """Ends the process that measures, if there is one."""
        self.core.close()
