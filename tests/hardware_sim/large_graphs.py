"""Reads large graphs within some seconds of processor time, for :mod:`tests.hardware_sim`.

Run as a program: it needs a fraction of the time, and work that grows with the square of the ops
would take minutes, upon which the kernel ends it.
"""

import json
import resource
import sys
from itertools import pairwise
from pathlib import Path

from hardware_sim.errors import InputError
from hardware_sim.graph import OpGraph
from hardware_sim.readers import read_msr

OPS = 100_000
SECONDS = 20


def main(folder: Path) -> None:
    """Loads a chain of ops that names no kinds, and refuses a workload that repeats an id."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    names = [str(i) for i in range(OPS)]
    chain = {
        "name": "chain",
        "ops": names[::-1],
        "edges": list(pairwise(names)),
    }
    path = folder / "graph.json"
    path.write_text(json.dumps(chain))
    graph = OpGraph.load(path)
    assert graph.ops == tuple(names)
    assert set(graph.kinds) == {"op"}
    nodes = [{"id": i, "supportedOnFpga": 1} for i in [*range(OPS), OPS - 1]]
    path.write_text(json.dumps({"nodes": nodes, "edges": []}))
    try:
        read_msr(path)
    except InputError as error:
        print(error)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
