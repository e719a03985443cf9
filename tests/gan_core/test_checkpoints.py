import pytest
import torch

from gan_core import RunError, Trainer
from gan_core.checkpoints import digest, read_checkpoint, write_checkpoint

STATE = {
    "step": 12,
    "configs": [{"dataset": "ring8", "lr_g": 1e-3}],
    "cursors": {"count_g": 12, "data": {"key": ["integers", [8], 50_000], "next": 12}, "empty": {"key": None, "next": 0}},
    "tensors": {
        "floats": torch.randn(3, 4),
        "bytes": torch.arange(10, dtype=torch.uint8),
        "whole": torch.tensor(7),
        "strided": torch.randn(4, 6).T,
        "awkward": torch.tensor([float("nan"), float("inf"), -0.0, 1e-42]),
    },
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "state.safetensors"


@pytest.mark.parametrize("name", STATE["tensors"])
def test_tensor_comes_back_to_the_bit(path, name):
    write_checkpoint(path, STATE)
    found, expected = read_checkpoint(path)["tensors"][name], STATE["tensors"][name]
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert found.contiguous().numpy().tobytes() == expected.contiguous().numpy().tobytes()


@pytest.mark.parametrize("key", ["step", "configs", "cursors"])
def test_the_rest_comes_back(path, key):
    write_checkpoint(path, STATE)
    assert read_checkpoint(path)[key] == STATE[key]


def test_a_trainers_state_comes_back(path, tiny):
    state = Trainer(tiny(dataset="digits", network="dcgan", width=4, ema_decay=0.9, steps=20_000)).train(3).state_dict()
    write_checkpoint(path, state)
    found = read_checkpoint(path)
    assert found["tensors"].keys() == state["tensors"].keys()
    assert all(torch.equal(found["tensors"][name], state["tensors"][name]) for name in state["tensors"])


def test_no_temporary_file_is_left(path):
    write_checkpoint(path, STATE)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_second_write_replaces_the_first(path):
    write_checkpoint(path, STATE)
    write_checkpoint(path, {**STATE, "step": 13})
    assert read_checkpoint(path)["step"] == 13


def test_a_folder_that_cannot_be_made_is_an_os_error(path):
    path.parent.write_text("")
    with pytest.raises(OSError):
        write_checkpoint(path, STATE)


def test_a_failed_write_keeps_the_file_that_was_there(path):
    write_checkpoint(path, STATE)
    with pytest.raises(TypeError):
        write_checkpoint(path, {**STATE, "cursors": object()})
    assert read_checkpoint(path)["step"] == 12


def test_a_missing_file_is_refused(path):
    with pytest.raises(RunError, match="does not exist"):
        read_checkpoint(path)


@pytest.mark.parametrize("size", [0, 4, 100, -1])
def test_a_file_cut_short_is_refused(path, size):
    write_checkpoint(path, STATE)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(RunError, match="damaged or cut short"):
        read_checkpoint(path)


@pytest.mark.parametrize("content", [b"hello", b"\xff" * 200, b"\x02\0\0\0\0\0\0\0{}"])
def test_another_kind_of_file_is_refused(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(RunError, match="damaged"):
        read_checkpoint(path)


def test_a_pickle_is_refused(path):
    """Opening somebody else's checkpoint runs no code."""
    path.parent.mkdir()
    torch.save({"a": torch.zeros(3)}, path)
    with pytest.raises(RunError, match="damaged"):
        read_checkpoint(path)


def test_digest_tells_two_files_apart_by_one_bit(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(bytes(3_000_000))
    two.write_bytes(bytes(2_999_999) + b"\x01")
    assert digest(one) != digest(two)
