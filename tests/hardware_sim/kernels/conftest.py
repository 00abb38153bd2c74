"""A cache of compiled kernels for these tests alone."""

import pytest


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory):
    """A cache folder that is new for this run, so that compilers really run."""
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture(autouse=True)
def cache_folder(session_cache, monkeypatch):
    """The cache folder of a test; the same for all, unless a test sets another."""
    monkeypatch.setenv("GYMWORKS_KERNEL_CACHE", str(session_cache))
    return session_cache
