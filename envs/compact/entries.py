"""The ids of compact networks."""

from envs.entry import Entry

ENTRIES = (
    Entry(
        name="CompactFeature",
        version=0,
        domain="compact",
        entry_point="envs.compact.env:CompactFeatureEnv",
        vector_entry_point="envs.compact.vector:CompactFeatureVectorEnv",
        backend="replay table",
        summary="channels to keep of each feature map of a network, for speed and accuracy",
    ),
)
