"""Chart files that tests of several parts read."""

import tarfile

import pytest


@pytest.fixture(scope="session")
def chart_files(dance_data):
    """Bytes of every fifth real chart file of the archives, by path."""
    found = {}
    for archive in sorted((dance_data / "charts").glob("*.tar.xz")):
        with tarfile.open(archive) as members:
            for member in members:
                if member.isfile() and member.name.endswith((".sm", ".ssc", ".dwi")):
                    found[member.name] = members.extractfile(member).read()
    return {name: found[name] for name in sorted(found)[::5]}
