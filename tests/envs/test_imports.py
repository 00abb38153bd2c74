"""``import envs`` loads tables, and nothing that takes long."""

import json
import re
import subprocess
import sys

HEAVY = {
    "PIL",
    "jinja2",
    "matplotlib",
    "networkx",
    "numba",
    "ray",
    "scipy",
    "selenium",
    "soundfile",
    "stable_baselines3",
    "torch",
}
TABLES = r"envs(\.entry|\.registration|\.[a-z]+(\.entries)?)?"
LISTS = {
    "envs.web.miniwob",
    "envs.web.miniwob.package",
    "envs.web.tasks",
    "envs.web.tasks.catalogue",
}
"""Modules that tables are made from."""


def test_importing_envs_loads_tables_only():
    program = "import json, sys, envs; print(json.dumps(list(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = set(json.loads(output.stdout))
    assert loaded & HEAVY == set()
    ours = {name for name in loaded if name.partition(".")[0] in ("envs", "agents", "experiments")}
    assert {name for name in ours - LISTS if not re.fullmatch(TABLES, name)} == set()
