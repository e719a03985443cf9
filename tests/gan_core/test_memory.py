import pytest
import torch

from gan_core import ConfigError, GANConfig, Runner, Trainer
from gan_core.config import MAX_MEMBERS
from gan_core.maps import Axis, MapSpec
from gan_core.memory import _at_most, allowed, check_fits, need
from gan_core.networks import NETWORKS

CPU = torch.device("cpu")
HUGE = GANConfig(width=1024, depth=8, batch_size=4096)


@pytest.fixture(autouse=True)
def two_gigabytes(monkeypatch):
    monkeypatch.setenv("GAN_PLAYGROUND_MEMORY", "2")


def _images(network, **changes):
    levels = {"gumbel": 4, "pixelcnn": 4}.get(network, 0)
    return GANConfig(**{"dataset": "digits", "network": network, "levels": levels, "width": 8, "batch_size": 16, **changes})


def test_weights_are_counted_with_gradients_and_two_moments():
    """Of Adam: 4 numbers for each weight."""
    config = GANConfig(latent_dim=16, width=1024, depth=2, batch_size=2)
    generator = (16 + 1) * 1024 + (1024 + 1) * 1024 + (1024 + 1) * 2
    discriminator = (2 + 1) * 1024 + (1024 + 1) * 1024 + 1024 + 1
    assert need([config]).weights == pytest.approx(4 * 4 * (generator + discriminator), rel=0.02)


def test_members_take_as_much_as_as_many_trainers():
    one, many = need([HUGE]), need([HUGE.but(seed=seed) for seed in range(8)])
    assert (many.weights, many.activations) == (8 * one.weights, 8 * one.activations)


def test_activations_grow_with_the_batch():
    small, large = (need([HUGE.but(batch_size=size)]).activations for size in (512, 4096))
    assert large == pytest.approx(8 * small, rel=0.01)


@pytest.mark.parametrize("changes", [{}, {"image_size": 32, "width": 64, "batch_size": 256}], ids=["small", "large"])
@pytest.mark.parametrize("network", NETWORKS)
def test_the_quick_bound_is_never_too_low(network, changes):
    config = _images(network, **changes)
    assert _at_most(config, 1) >= need([config]).total


@pytest.mark.parametrize("changes", [{"unroll_steps": 5}, {"penalty": "r1", "mode_seeking": 1.0}, {"replay": 0.5, "pack": 4}])
def test_the_quick_bound_is_never_too_low_for_remedies(changes):
    config = HUGE.but(**changes)
    assert _at_most(config, 1) >= need([config]).total


@pytest.mark.parametrize("many", [1, 4])
def test_what_fits_is_let_pass(many):
    assert check_fits([GANConfig(seed=seed) for seed in range(many)], CPU) is None


def test_what_does_not_fit_is_refused_with_the_numbers():
    with pytest.raises(ConfigError, match=r"about [0-9,.]+ GB of memory .*for the activations.* and 2\.0 GB may be used"):
        check_fits([HUGE.but(seed=seed) for seed in range(MAX_MEMBERS)], CPU)


def test_a_trainer_is_refused_before_anything_is_allocated(monkeypatch):
    monkeypatch.setattr("gan_core.trainer.load", lambda *args: pytest.fail("data were loaded"))
    with pytest.raises(ConfigError, match="may be used"):
        Trainer(_images("dcgan", image_size=128, channels=3, width=1024, batch_size=4096))


def test_a_run_is_refused_before_it_is_made(runner, store):
    with pytest.raises(ConfigError, match="may be used"):
        runner.start([HUGE.but(seed=seed) for seed in range(MAX_MEMBERS)])
    assert store.runs() == []


def test_a_map_is_refused_for_its_largest_cells(runner, store):
    spec = MapSpec(HUGE.but(width=8), Axis("width", (8, 1024)), Axis("lr_d", tuple(10.0**-k for k in range(1, 7))), seeds=16)
    with pytest.raises(ConfigError, match="may be used"):
        runner.start_map(spec)
    assert store.runs(kind=None) == []


def test_a_run_from_elsewhere_is_refused_when_it_is_resumed(store, monkeypatch):
    run = store.create([HUGE] * 8)
    store.update(run, status="stopped")
    runner = Runner(store)
    with pytest.raises(ConfigError, match="may be used"):
        runner.resume(run)
    runner.shutdown()
    assert store.get(run).status == "stopped"


@pytest.mark.parametrize("text", ["much", "0", "-1", "nan", "inf", "1e9"])
def test_a_limit_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("GAN_PLAYGROUND_MEMORY", text)
    with pytest.raises(ConfigError, match=f"GAN_PLAYGROUND_MEMORY = {text} is not usable"):
        allowed(CPU)


def test_without_a_setting_the_machine_says_how_much_is_free(monkeypatch):
    monkeypatch.delenv("GAN_PLAYGROUND_MEMORY")
    assert 0 < allowed(CPU) < 2**50
