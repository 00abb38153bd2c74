"""The natively vectorised compact-feature environment."""

from envs.compact.batch import CompactBatch
from envs.compact.env import CompactFeatureEnv
from envs.rows import RowsEnv


class CompactFeatureVectorEnv(RowsEnv[CompactBatch]):
    """``num_envs`` episodes; see :class:`RowsEnv` and :class:`CompactFeatureEnv`."""

    single = CompactFeatureEnv
    make_core = CompactBatch
