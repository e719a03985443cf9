import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Two test processes on two cores; threads that wait for each other would take many times as long."""
    torch.set_num_threads(1)
