"""The ids of device placement."""

from typing import Any

from envs.entry import Argument, Entry

ARGUMENTS = {
    "graphs": Argument(str, many=True),
    "cluster": Argument(str),
    "out_of_memory": Argument(str, choices=("penalty", "mask")),
    "reward": Argument(str, choices=("shaped", "final")),
}


def _placement(name: str, summary: str, **kwargs: Any) -> Entry:
    return Entry(
        name=f"DevicePlacement-{name}",
        version=0,
        domain="placement",
        entry_point="envs.placement.env:DevicePlacementEnv",
        vector_entry_point="envs.placement.vector:DevicePlacementVectorEnv",
        backend="simulator",
        summary=summary,
        kwargs=kwargs,
        arguments=ARGUMENTS,
    )


ENTRIES = (
    _placement(
        "InceptionV3",
        "a training step of Inception-V3, batch 32, on one Xeon and four K80 GPUs",
        graphs=["inception_v3_training"],
        cluster="xeon_4xk80",
    ),
    _placement(
        "InceptionV3-2GPU",
        "a training step of Inception-V3, batch 32, on one Xeon and two K80 GPUs",
        graphs=["inception_v3_training"],
        cluster="xeon_2xk80",
    ),
    _placement(
        "InceptionV3-V100",
        "inference of Inception-V3, batch 32, on four V100 GPUs with NVLink",
        graphs=["inception_v3"],
        cluster="4xv100_nvlink",
    ),
    _placement(
        "NASNet",
        "measured inference of NASNet-A, op by op, on four V100 GPUs with PCIe 3",
        graphs=["pipedream_nasnetamobile"],
        cluster="4xv100_pcie3",
    ),
    _placement(
        "BERT24",
        "a measured training step of BERT-24 on six V100 GPUs",
        graphs=["msr_bert24_training"],
        cluster="6xv100_msr",
        out_of_memory="mask",
    ),
    _placement(
        "GPT2Decode",
        "a traced decoding step of GPT-2 with sharded attention on twelve equal processors",
        graphs=["dagbench_gpt2"],
        cluster="12x_unit",
    ),
    _placement(
        "Mixed",
        "one of four networks an episode, on four V100 GPUs with PCIe 3",
        graphs=["inception_v3", "pipedream_inception_v3", "pipedream_resnet50", "msr_bert_l3"],
        cluster="4xv100_pcie3",
    ),
)
