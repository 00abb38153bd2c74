"""The natively vectorised adaptive softmax environment."""

from envs.rows import RowsEnv
from envs.softmax.batch import SoftmaxBatch
from envs.softmax.env import AdaptiveSoftmaxEnv


class AdaptiveSoftmaxVectorEnv(RowsEnv[SoftmaxBatch]):
    """``num_envs`` vocabularies; see :class:`RowsEnv` and :class:`AdaptiveSoftmaxEnv`."""

    single = AdaptiveSoftmaxEnv
    make_core = SoftmaxBatch
