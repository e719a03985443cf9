import pytest
import torch

from gan_core import GANConfig, RunError, Trainer
from gan_core.outline import DTYPES, check_rest, check_streams, check_tensors, outline, states_configs

NAMES = {dtype: name for name, dtype in DTYPES.items()}
GREY = {"dataset": "digits", "network": "dcgan", "width": 4}
CONFIGS = {
    "plain": {},
    "averaged": {"ema_decay": 0.9},
    "replay and lecam": {"replay": 0.5, "penalty": "lecam"},
    "packs": {"pack": 2},
    "kernels": {"minibatch_discrimination": 4},
    "resets": {"reset_every": 2, "reset_fraction": 0.2, "optimizer": "sgd"},
    "rmsprop": {"optimizer": "rmsprop"},
    "dcgan": GREY | {"spectral_norm": "both", "conditional": "projection", "ema_decay": 0.9},
    "concat": GREY | {"conditional": "concat"},
    "embedding": GREY | {"conditional": "embedding"},
    "auxiliary": GREY | {"conditional": "auxiliary"},
    "ada": GREY | {"augment": "ada", "batch_norm": "both", "minibatch_std": 4},
    "resnet": GREY | {"network": "resnet"},
    "style": GREY | {"network": "style"},
    "gumbel": GREY | {"network": "gumbel", "levels": 2},
}  # fmt: skip


@pytest.fixture
def states(tiny):
    """Configs, the state of their trainer after two steps, and their outline."""

    def make(*configs):
        state = Trainer(list(configs)).train(2).state_dict()
        return state, outline(configs)

    return make


def _check(state, known):
    rest = {name: value for name, value in state.items() if name != "tensors"}
    found = check_tensors(_header(state), known), check_streams(state["tensors"], known), check_rest(rest, 2, known)
    assert found == (None, None, None)  # no complaint


def _header(state):
    return {name: (NAMES[tensor.dtype], list(tensor.shape)) for name, tensor in state["tensors"].items()}


@pytest.mark.parametrize("name", CONFIGS)
def test_what_a_trainer_keeps_fits_its_outline(states, tiny, name):
    _check(*states(tiny(**CONFIGS[name])))


def test_what_members_in_several_blocks_keep_fits(states, tiny):
    _check(*states(*(tiny(seed=seed, width=64, batch_size=256) for seed in range(20))))


@pytest.mark.parametrize("changes", [{}, {"ema_decay": 0.9, "conditional": "embedding"}])
def test_what_pixelcnn_keeps_fits(states, changes):
    pixelcnn = {"dataset": "digits", "network": "pixelcnn", "width": 8, "depth": 1, "batch_size": 8, "levels": 2}
    _check(*states(GANConfig(**pixelcnn, **changes)))


def test_rows_that_wait_for_their_mean_fit(tiny):
    config = tiny(steps=10_000)
    state = Trainer(config).train(2).state_dict()
    assert "pending" in state["tensors"]
    _check(state, outline([config]))


def test_the_largest_network_takes_no_memory():
    """2.9 thousand million weights, which would be 11 GB."""
    config = GANConfig(dataset="digits", network="dcgan", image_size=128, channels=3, width=1024)
    assert outline([config]).weights > 2**31


def test_an_outline_has_no_numbers(tiny):
    assert outline([tiny()]).needed["opt_g.0"][0] is torch.float32
    assert torch.zeros(1).device.type == "cpu"


@pytest.mark.parametrize(
    "cursor",
    [
        None,
        {"key": None},
        {"key": None, "next": True},
        {"key": ["normal", [2**27], 0], "next": 0},
        {"key": ["normal", [2**20, 2**20, 2**20], 0], "next": 0},
        {"key": ["normal", [-1], 0], "next": 0},
        {"key": ["normal", [1.5], 0], "next": 0},
        {"key": ["normal", [1] * 7, 0], "next": 0},
        {"key": ["normal", [8], 5], "next": 0},
        {"key": ["integers", [8], 0], "next": 0},
        {"key": ["other", [8], 0], "next": 0},
        {"key": [["normal"], [8], 0], "next": 0},
        {"key": ["normal", [8], 0], "next": -1},
    ],
)
def test_a_cursor_that_no_run_has_is_refused(states, tiny, cursor):
    state, known = states(tiny())
    rest = {**state, "cursors": state["cursors"] | {"data": cursor}}
    with pytest.raises(RunError, match="a cursor"):
        check_rest({name: value for name, value in rest.items() if name != "tensors"}, 2, known)


@pytest.mark.parametrize(("name", "fits"), [("lr_g", True), ("steps", True), ("device", True), ("width", False), ("seed", False)])
def test_a_states_configs_are_its_runs_but_for_what_may_change(tiny, name, fits):
    other = {"lr_g": 0.5, "steps": 99, "device": "cpu", "width": 16, "seed": 9}[name]
    rest = {"configs": [tiny(**{name: other}).model_dump()]}
    if fits:
        assert getattr(states_configs(rest, [tiny()])[0], name) == other
    else:
        with pytest.raises(RunError, match=f"its {name} is not that of the run"):
            states_configs(rest, [tiny()])
