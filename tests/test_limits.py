"""Files of strangers that are too deep or unpack to too much, given to every reader of them."""

import gzip
import json
import lzma
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from agents.runs import Run
from envs.compact.cifar import load_splits
from envs.dance.corpus import ARCHIVES, corpus
from envs.softmax.costs import CostTable
from envs.softmax.frequencies import read_counts
from envs.web.demonstration_file import read_demonstrations
from envs.web.demonstration_frames import read_frame
from envs.web.miniwob_recordings import read_miniwob
from experiments.dance.ratings import read as read_rating
from experiments.report_sources import read_sources
from experiments.results import read_result
from experiments.softmax.text import read_dictionary
from hardware_sim import readers
from hardware_sim.devices import Cluster
from hardware_sim.errors import InputError
from hardware_sim.graph import OpGraph
from hardware_sim.kernels.network_plan import NetworkPlan
from tests.hardware_sim.pictures import png

DEEP = b"[" * 200_000

Reader = Callable[[Path], Any]


def _run(path: Path) -> Run:
    path.rename(path.with_name("config.json"))
    return Run(path.parent)


def _best(path: Path) -> Any:
    path.rename(path.with_name("best.json"))
    path.with_name("config.json").write_text("{}")
    return Run(path.parent).best_episode()


def _demonstrations(path: Path) -> Any:
    if path.suffix == ".json":
        path.write_bytes(path.read_bytes() + b', "check": ""}\n')
    return list(read_demonstrations(path))


READERS: dict[str, Reader] = {
    "a graph": OpGraph.load,
    "a graph of any format": readers.read,
    "a cluster": lambda path: Cluster.load(str(path)),
    "a plan of kernels": NetworkPlan.load,
    "the settings of a run": _run,
    "the best figures of a run": _best,
    "a result": read_result,
    "a result to report": lambda path: read_sources([path]),
    "a table of costs": CostTable.load,
    "demonstrations": _demonstrations,
    "recordings of MiniWoB": lambda path: list(read_miniwob(path)),
}


@pytest.mark.parametrize("name", READERS)
def test_json_that_is_nested_200_000_levels_deep_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(DEEP)
    with pytest.raises(InputError, match="nested deeper than 200 levels"):
        READERS[name](path)


def test_a_rating_is_read_within_the_limits_of_json(tmp_path: Path) -> None:
    path = tmp_path / "chart.rating.json"
    for content, why in ((b"[" * 999 + b"]" * 999, "nested deeper"), (bytes(4097), "4096 bytes")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=why):
            read_rating(path)


PACKED: dict[str, tuple[str, Reader]] = {
    "a graph by gzip": ("graph.json.gz", OpGraph.load),
    "a graph by xz": ("graph.json.xz", readers.read),
    "counts of words by gzip": ("words.txt.gz", read_counts),
    "counts of words by xz": ("words.txt.xz", read_counts),
    "bins of words": ("words.msgpack.gz", read_counts),
    "a dictionary": ("text.dz", read_dictionary),
    "demonstrations": ("web.jsonl.xz", _demonstrations),
    "recordings of MiniWoB": ("web.jsonl.xz", lambda path: list(read_miniwob(path))),
}


@pytest.mark.parametrize("name", PACKED)
def test_a_small_file_that_unpacks_to_gigabytes_is_refused(name: str, tmp_path: Path) -> None:
    file, read = PACKED[name]
    pack = lzma.compress if file.endswith(".xz") else gzip.compress
    path = tmp_path / file
    path.write_bytes(pack(bytes(1 << 20)) * 4096)  # members one after the other: 4 GiB
    with pytest.raises(InputError, match="more than 64 MiB"):
        read(path)


GRAPH = OpGraph.build(
    "graph",
    ["a", "b", "c"],
    [("a", "b"), ("b", "c")],
    measured_ms={"gpu": [1.0, 2.0, 3.0]},
    output_bytes=[1, 2, 3],
    groups=["x", "x", "y"],
)
DEVICE = {
    "name": "own",
    "kind": "gpu",
    "peak_tflops": 1.0,
    "memory_gbs": 100.0,
    "memory_gb": 2.0,
    "overhead_us": 1.0,
    "efficiency": {"default": 0.5},
}
LINK = {"link": {"latency_us": 1.0, "gbs": 10.0}, "devices": [0, 1], "sharing": "pair"}
NODE = {"tag": "INPUT_text", "ref": 1, "value": "v", "children": []}
NODE |= dict.fromkeys(("left", "top", "width", "height"), 1)
CLICK = {"type": "click", "timing": 1, "x": 3, "y": 4, "keyCode": 0, "charCode": 65}
VALUES: dict[str, Any] = {
    "a graph": GRAPH.to_json(),
    "a cluster": {"devices": [DEVICE, DEVICE | {"name": "other"}], "interconnect": [LINK]},
    "a table of costs": {
        **{name: [1.0, 2.0] for name in ("hidden", "rows", "words")},
        **{"ms": [[[1.0, 2.0]] * 2] * 2, "kind": "training", "machine": "one"},
    },
    "recordings of MiniWoB": {
        "utterance": "go",
        "rawReward": 1,
        "states": [{"time": 1.0, "action": CLICK, "dom": NODE}],
    },
}
ODD = [None, -1, 0, 1.5, 1e999, float("nan"), 10**400, 2**63, "x", "\ud800", True, [], {}, [[]]]
Place = tuple[str | int, ...]


def places(value: Any, path: Place = ()) -> Iterator[Place]:
    """The paths of a value's parts, of a list's only the first two."""
    if path:
        yield path
    parts: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value[:2])
    for key, part in parts:
        yield from places(part, (*path, key))


def changed(value: Any, path: Place, part: Any) -> Any:
    """The value with another part."""
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], part) if path[1:] else part
    return copy


@pytest.mark.parametrize("name", VALUES)
def test_any_part_of_another_kind_is_read_or_refused(name: str, tmp_path: Path) -> None:
    path, outcomes = tmp_path / "file.json", set()
    path.write_text(json.dumps(VALUES[name]))
    READERS[name](path)
    for place in places(VALUES[name]):
        for odd in ODD:
            path.write_text(json.dumps(changed(VALUES[name], place, odd)))
            try:
                READERS[name](path)
                outcomes.add("read")
            except InputError:
                outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_a_small_archive_of_charts_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    member = tarfile.TarInfo("Pack/Song/song.sm")
    member.size = 4 << 30
    path = tmp_path / ARCHIVES["itg"]
    path.parent.mkdir(parents=True)
    path.write_bytes(lzma.compress(member.tobuf()) + lzma.compress(bytes(1 << 20)) * 4096)
    with pytest.raises(InputError, match="holds more than 256 MiB"):
        corpus("itg", tmp_path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match="cannot be read"):
        corpus("itg", tmp_path)


def test_a_picture_of_a_demonstration_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "web.frames.zip", "w", ZIP_DEFLATED) as packed:
        packed.writestr("0/000000.webp", bytes((1 << 26) + 1))
        packed.writestr("1/000000.webp", png(60_000, 60_000))
    with pytest.raises(InputError, match="more than 64 MiB"):
        read_frame(tmp_path / "web.jsonl", 0, 0)
    with pytest.raises(InputError, match="exceeds limit"):
        read_frame(tmp_path / "web.jsonl", 1, 0)


def test_a_picture_of_a_class_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / part / "cat").mkdir(parents=True)
        (tmp_path / part / "cat" / "1.png").write_bytes(png(60_000, 60_000))
    with pytest.raises(InputError, match=r"1\.png cannot be read: .*exceeds limit"):
        load_splits(tmp_path, validation=1)
