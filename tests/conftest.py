import pytest
import torch
from xdist.scheduler import LoadScopeScheduling

BROWSER = "browser"


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Two test processes on two cores; threads that wait for each other would take many times as long."""
    torch.set_num_threads(1)


class _Files(LoadScopeScheduling):
    """Hands out the tests by files. Those in a browser come first and alone: its server and the browser need both cores."""

    def _split_scope(self, nodeid):
        return BROWSER if nodeid.startswith("tests/browser/") else nodeid.partition("::")[0]

    def _assign_work_unit(self, node):
        browsing = any(not all(units.get(BROWSER, {}).values()) for units in self.assigned_work.values())
        if not browsing or BROWSER in self.assigned_work[node]:
            super()._assign_work_unit(node)

    def mark_test_complete(self, node, item_index, duration=0):
        super().mark_test_complete(node, item_index, duration)
        for waiting in self.nodes:
            if not self.assigned_work[waiting]:
                self._reschedule(waiting)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return _Files(config, log)
