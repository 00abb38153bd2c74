"""The ids of the adaptive softmax."""

from envs.entry import Argument, Entry

ARGUMENTS = {"split": Argument(str), "loss_price": Argument(float, low=0)}

ENTRIES = (
    Entry(
        name="AdaptiveSoftmax",
        version=0,
        domain="softmax",
        entry_point="envs.softmax.env:AdaptiveSoftmaxEnv",
        vector_entry_point="envs.softmax.vector:AdaptiveSoftmaxVectorEnv",
        backend="table of measured times",
        summary="cut a vocabulary into a head and tails for fast training",
        kwargs={"split": "train"},
        splits=("train", "test"),
        arguments=ARGUMENTS,
    ),
)
