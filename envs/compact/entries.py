"""The ids of compact networks."""

from envs.entry import Argument, Entry

ARGUMENTS = {
    "batches": Argument(int, many=True),
    "prices": Argument(float, many=True),
    "budgets": Argument(float, many=True),
    "backend": Argument(str, choices=("replay", "measured")),
    "data": Argument(str, optional=True),
    "network": Argument(str, optional=True),
}

ENTRIES = (
    Entry(
        name="CompactFeature",
        version=0,
        domain="compact",
        entry_point="envs.compact.env:CompactFeatureEnv",
        vector_entry_point="envs.compact.vector:CompactFeatureVectorEnv",
        backend="replay table",
        summary="channels to keep of each feature map of a network, for speed and accuracy",
        arguments=ARGUMENTS,
    ),
)
