"""The natively vectorised tuning environment."""

from envs.convolution.batch import TuningBatch
from envs.convolution.env import ConvTuningEnv
from envs.rows import RowsEnv


class ConvTuningVectorEnv(RowsEnv[TuningBatch]):
    """``num_envs`` layers being tuned; see :class:`RowsEnv` and :class:`ConvTuningEnv`."""

    single = ConvTuningEnv
    make_core = TuningBatch
