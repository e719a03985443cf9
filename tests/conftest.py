import pytest
import torch
from xdist.scheduler import LoadScopeScheduling


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Two test processes on two cores; threads that wait for each other would take many times as long."""
    torch.set_num_threads(1)


class _Files(LoadScopeScheduling):
    """Hands out the tests by files, and those in a browser first and all to one process: two browsers would be too much."""

    def _split_scope(self, nodeid: str) -> str:
        return "browser" if nodeid.startswith("tests/browser/") else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return _Files(config, log)
