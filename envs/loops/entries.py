"""The ids of loop scheduling."""

from envs.entry import Argument, Entry

ARGUMENTS = {
    "operations": Argument(str, choices=("matmul", "conv"), many=True),
    "backend": Argument(str, choices=("model", "measured")),
    "processor": Argument(str),
    "threads": Argument(int, low=1, high=64),
}

ENTRIES = (
    Entry(
        name="LoopSchedule",
        version=0,
        domain="loops",
        entry_point="envs.loops.env:LoopScheduleEnv",
        vector_entry_point="envs.loops.vector:LoopScheduleVectorEnv",
        backend="cost model",
        summary=(
            "schedule the loops of a matrix product or a convolution; measured with Halide, too"
        ),
        kwargs={"operations": ["matmul", "conv"]},
        splits=("train", "test"),
        arguments=ARGUMENTS,
    ),
)
